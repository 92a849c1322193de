// Numbers as texts.

/** A share in [0, 1] with four digits, rounded down: 1.0000 means all. */
function share(value) {
  if (value === null || value === undefined) return "–";
  return (Math.floor(value * 10_000 + 1e-9) / 10_000).toFixed(4);
}

/** A share in percent, rounded down to a tenth: 100 means all. */
function percent(value) {
  const tenths = Math.floor(value * 1_000 + 1e-9);
  return tenths % 10 === 0 ? String(tenths / 10) : (tenths / 10).toFixed(1);
}

function count(value) {
  return value === null || value === undefined ? "–" : value.toLocaleString("en-US");
}

function number(value, digits = 5) {
  if (typeof value !== "number") return value === null || value === undefined ? "–" : String(value);
  return String(Number(value.toPrecision(digits)));
}

function seconds(value) {
  if (value < 90) return `${value.toFixed(value < 10 ? 1 : 0)} s`;
  if (value < 5_400) return `${(value / 60).toFixed(1)} min`;
  return `${(value / 3_600).toFixed(1)} h`;
}

function dollars(value) {
  if (value === null || value === undefined) return "price not known";
  return value ? `$${value.toFixed(value < 1 ? 4 : 2)}` : "$0";
}

function plural(amount, noun) {
  return `${count(amount)} ${noun}${amount === 1 ? "" : "s"}`;
}

function setting(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}
