import json

from cwm import __version__
from cwm.execution.provenance import environment_report


def test_a_report_names_versions_and_machine() -> None:
    report = environment_report()
    assert report["version"] == __version__
    assert report["packages"]["numpy"].split(".")[0].isdigit()
    assert report["num_cpus"] >= 1
    assert report["python"].startswith("3.")


def test_a_report_is_plain_data_about_no_person_host_or_path() -> None:
    report = environment_report()
    assert json.loads(json.dumps(report)) == report
    assert set(report) == {
        "version",
        "commit",
        "dirty",
        "python",
        "implementation",
        "platform",
        "machine",
        "num_cpus",
        "packages",
    }
    assert "/" not in json.dumps(report)
