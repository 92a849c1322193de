"""Right solutions of the tasks in `cwm/suites/data`, which ship without any."""

SOLUTIONS = {
    "arithmetic": """
import sys


class DivisionByZero(Exception):
    pass


def parse(text):
    position = 0

    def peek():
        return text[position] if position < len(text) else ""

    def take():
        nonlocal position
        position += 1
        return text[position - 1]

    def expression():
        value = term()
        while peek() and peek() in "+-":
            sign = take()
            other = term()
            value = value + other if sign == "+" else value - other
        return value

    def term():
        value = factor()
        while peek() and peek() in "*/":
            sign = take()
            other = factor()
            if sign == "*":
                value *= other
            elif other == 0:
                raise DivisionByZero
            else:
                quotient = abs(value) // abs(other)
                value = quotient if (value < 0) == (other < 0) else -quotient
        return value

    def factor():
        if peek() == "-":
            take()
            return -factor()
        if peek() == "(":
            take()
            value = expression()
            take()
            return value
        digits = ""
        while peek().isdigit():
            digits += take()
        return int(digits)

    return expression()


for line in sys.stdin:
    line = "".join(line.split())
    if line:
        try:
            print(parse(line))
        except DivisionByZero:
            print("error")
""",
    "brackets": """
import sys

PAIRS = {")": "(", "]": "[", "}": "{"}
lines = sys.stdin.read().split("\\n")
for line in lines[1 : int(lines[0]) + 1]:
    stack = []
    verdict = ""
    for position, mark in enumerate(line, 1):
        if mark in "([{":
            stack.append(mark)
        elif mark in PAIRS:
            if not stack or stack.pop() != PAIRS[mark]:
                verdict = f"wrong {position}"
                break
    if not verdict:
        verdict = f"open {len(stack)}" if stack else "ok"
    print(verdict)
""",
    "coins": """
amount, *coins = map(int, open(0).read().split())
best = [0] + [None] * amount
for value in range(1, amount + 1):
    found = [best[value - c] for c in coins if c <= value]
    found = [f for f in found if f is not None]
    best[value] = min(found) + 1 if found else None
print(-1 if best[amount] is None else best[amount])
""",
    "dates": """
import sys

NAMES = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
LENGTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]


def is_leap(year):
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def number(text):
    year, month, day = map(int, text.split("-"))
    before = year - 1
    days = before * 365 + before // 4 - before // 100 + before // 400
    days += sum(LENGTHS[: month - 1]) + (month > 2 and is_leap(year))
    return days + day


for line in sys.stdin:
    if line.strip():
        first, second = map(number, line.split())
        print(second - first, NAMES[(second - 1) % 7])
""",
    "increasing": """
import bisect

_, *numbers = map(int, open(0).read().split())
tails = []
for number in numbers:
    place = bisect.bisect_left(tails, number)
    if place == len(tails):
        tails.append(number)
    else:
        tails[place] = number
print(len(tails), tails[-1])
""",
    "intervals": """
import sys

data = list(map(int, sys.stdin.read().split()))
pairs = sorted(zip(data[1::2], data[2::2]))
merged = []
for low, high in pairs:
    if merged and low <= merged[-1][1]:
        merged[-1][1] = max(merged[-1][1], high)
    else:
        merged.append([low, high])
for low, high in merged:
    print(low, high)
print("total", sum(high - low for low, high in merged))
""",
    "islands": """
import sys

lines = sys.stdin.read().split()
rows = lines[2:]
land = set()
for r, row in enumerate(rows):
    land |= {(r, c) for c, mark in enumerate(row) if mark == "#"}
sizes = []
while land:
    stack = [land.pop()]
    size = 0
    while stack:
        r, c = stack.pop()
        size += 1
        for cell in ((r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)):
            if cell in land:
                land.remove(cell)
                stack.append(cell)
    sizes.append(size)
print(len(sizes), max(sizes, default=0))
""",
    "justify": """
import sys

first, *rest = sys.stdin.read().split("\\n")
width = int(first)
words = " ".join(rest).split()
lines = []
line = []
for word in words:
    if line and len(" ".join([*line, word])) > width:
        lines.append(line)
        line = []
    line.append(word)
for full in lines:
    gaps = len(full) - 1
    if gaps == 0:
        print(full[0])
        continue
    spaces = width - sum(map(len, full))
    text = full[0]
    for i, word in enumerate(full[1:]):
        text += "_" * (spaces // gaps + (i < spaces % gaps)) + word
    print(text)
print("_".join(line))
""",
    "median": """
import bisect

numbers = list(map(int, open(0).read().split()))[1:]
kept = []
for number in numbers:
    bisect.insort(kept, number)
    n = len(kept)
    print(f"{(kept[(n - 1) // 2] + kept[n // 2]) / 2:.1f}")
""",
    "negabinary": """
import sys

for line in sys.stdin:
    if line.strip():
        number = int(line)
        digits = ""
        while number:
            bit = number % 2
            number = (bit - number) // 2
            digits = str(bit) + digits
        print(digits or "0")
""",
    "robot": """
import sys

lines = sys.stdin.read().split("\\n")
num_rows, num_columns = map(int, lines[0].split())
rows = lines[1 : 1 + num_rows]
r, c = next((r, row.index("S")) for r, row in enumerate(rows) if "S" in row)
MOVES = [(-1, 0), (0, 1), (1, 0), (0, -1)]
facing = bumps = 0
for word in lines[1 + num_rows].split():
    count = int(word[:-1] or 1)
    order = word[-1]
    for _ in range(count):
        if order == "L":
            facing = (facing - 1) % 4
        elif order == "R":
            facing = (facing + 1) % 4
        else:
            r2, c2 = r + MOVES[facing][0], c + MOVES[facing][1]
            inside = 0 <= r2 < num_rows and 0 <= c2 < num_columns
            if inside and rows[r2][c2] != "#":
                r, c = r2, c2
            else:
                bumps += 1
print(r + 1, c + 1, "NESW"[facing], bumps)
""",
    "routes": """
import heapq
import sys

data = list(map(int, sys.stdin.read().split()))
n, m = data[:2]
edges = {v: [] for v in range(1, n + 1)}
for i in range(m):
    a, b, w = data[2 + 3 * i : 5 + 3 * i]
    edges[a].append((b, w))
distance = {1: 0}
ways = {1: 1}
heap = [(0, 1)]
done = set()
while heap:
    d, v = heapq.heappop(heap)
    if v in done:
        continue
    done.add(v)
    for u, w in edges[v]:
        if u not in distance or d + w < distance[u]:
            distance[u], ways[u] = d + w, ways[v]
            heapq.heappush(heap, (d + w, u))
        elif d + w == distance[u]:
            ways[u] += ways[v]
print(f"{distance[n]} {ways[n]}" if n in distance else "unreachable")
""",
}
