#!/usr/bin/env python3
"""Random cron patterns and what becomes of them, by a plain scan over Python's zoneinfo.

    cron.py SEED COUNT

Lines of words between tabs; instants are seconds since the epoch.

    tzdata  RELEASE  PLACE             once: which database of zones it reads
    zone    NAME  INSTANT:OFFSET,...   before the first case of a zone: what its clocks are off by at the beginning of each week,
                                       told where that changes
    case    PATTERN  ZONE  GAP  FOLD  AFTER  FOUND  WHAT
                                       what the scan finds after an instant, and whether it `fires` or is `skipped`; `-` stands
                                       for none within the horizon

It shares nothing with the code under test but the rules: days are scanned one by one, and times on each of them one by one.
"""

import calendar
import random
import sys
import zoneinfo
from datetime import date, datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

UTC = timezone.utc
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST = 0
LAST = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp())
DAY = 86_400
WEEK = 7 * DAY
# What no clocks are off by, beyond what they are off by at the beginning of some week.
MARGIN = 3 * 3_600
# A 29 February may be twelve years away, and one on a given weekday forty: the scan gives up after 41.
HORIZON_DAYS = 41 * 366
MONTHS = tuple("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split())
WEEKDAYS = tuple("SUN MON TUE WED THU FRI SAT".split())


# What the pattern says ------------------------------------------------------------------------------------------------


@cache
def values(text, least, most, names=()):
    """The set of values of one field without special forms."""
    found = set()
    for item in text.split(","):
        span, _, step = item.partition("/")
        if span == "*":
            low, high = least, most
        elif "-" in span:
            low, high = (number(end, names) for end in span.split("-"))
            if names is WEEKDAYS and span.upper().endswith("-SUN"):
                high = 7
        else:
            low = number(span, names)
            high = most if step else low
        found.update(range(low, high + 1, int(step or 1)))
    return found


def number(text, names):
    if text.upper() in names:
        return names.index(text.upper()) + (1 if names is MONTHS else 0)
    return int(text)


@cache
def nearest_working_day(day):
    """The day from Monday to Friday nearest to this one, in its month."""
    for distance in (0, -1, 1, -2, 2):
        near = day + timedelta(distance)
        if near.month == day.month and near.weekday() < 5:
            return near
    raise AssertionError("a month without working days")


def date_item_admits(item, day):
    length = calendar.monthrange(day.year, day.month)[1]
    if item == "?":
        return True
    if item == "LW":
        return day == nearest_working_day(day.replace(day=length))
    if item == "L":
        return day.day == length
    if item.startswith("L-"):
        return day.day == length - int(item[2:])
    if item.endswith("W"):
        wanted = int(item[:-1])
        return wanted <= length and day == nearest_working_day(day.replace(day=wanted))
    return day.day in values(item, 1, 31)


def weekday_item_admits(item, day):
    weekday = day.isoweekday() % 7
    if item == "?":
        return True
    if "#" in item:
        wanted, nth = item.split("#")
        return weekday == number(wanted, WEEKDAYS) % 7 and (day.day - 1) // 7 + 1 == int(nth)
    if item.endswith("L"):
        length = calendar.monthrange(day.year, day.month)[1]
        return weekday == number(item[:-1], WEEKDAYS) % 7 and day.day + 7 > length
    days = values(item, 0, 6, WEEKDAYS)
    return weekday in days or (weekday == 0 and 7 in days)


class Pattern:
    def __init__(self, text):
        fields = text.split()
        second = fields.pop(0) if len(fields) == 6 else "0"
        minute, hour, self.dates, month, self.weekdays = fields
        self.hours = values(hour, 0, 23)
        self.times = [
            (h, m, s)
            for h in sorted(self.hours)
            for m in sorted(values(minute, 0, 59))
            for s in sorted(values(second, 0, 59))
        ]
        self.months = values(month, 1, 12, MONTHS)
        self.elapsed = len(self.hours) == 24

    def admits(self, day):
        if day.month not in self.months:
            return False
        by_date = any(date_item_admits(item, day) for item in self.dates.split(","))
        by_weekday = any(weekday_item_admits(item, day) for item in self.weekdays.split(","))
        if self.dates[0] in "*?" or self.weekdays[0] in "*?":
            return by_date and by_weekday
        return by_date or by_weekday


# When its local times are -------------------------------------------------------------------------------------------


def offset(zone, second):
    return int((EPOCH + timedelta(seconds=second)).astimezone(zone).utcoffset().total_seconds())


@cache
def weekly(name):
    """What the clocks of a zone are off by at the beginning of each week: an instant and the offset, where that changes."""
    zone, told = ZoneInfo(name), []
    for second in range(FIRST, LAST, WEEK):
        off = offset(zone, second)
        if not told or told[-1][1] != off:
            told.append((second, off))
    return told


@cache
def bounds(name):
    """What the clocks of a zone are off by at the least, and at the most."""
    offsets = [off for _, off in weekly(name)]
    return min(offsets) - MARGIN, max(offsets) + MARGIN


def instants(zone, midnight, local, pattern, gap, fold):
    """What becomes of one local time: pairs of an instant and whether it fires, is moved, or is skipped.

    `midnight` is what a clock that is never changed shows at the beginning of its date, in seconds.
    """
    shown = midnight + 3_600 * local.hour + 60 * local.minute + local.second
    first, second = (shown - int(local.replace(tzinfo=zone, fold=f).utcoffset().total_seconds()) for f in (0, 1))
    if first == second:
        return [(first, "fires")]
    if first < second:
        both = [(first, "fires"), (second, "fires")]
        if pattern.elapsed or fold == "both":
            return both
        return both[:1] if fold == "first" else both[1:]
    if pattern.elapsed:
        return []
    # Left out: the clocks change between the two, somewhere.
    low, high = second - 1, first + 1
    before, after = offset(zone, low), offset(zone, high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if offset(zone, middle) == before else (low, middle)
    whole_date = high + before <= midnight and midnight + DAY <= high + after
    return [(high, "skipped" if whole_date or gap == "skip" else "moved")]


def scan(pattern, name, gap, fold, after):
    """The first instant later than `after`, and whether it fires; days first, then the times of each."""
    zone, (least, most) = ZoneInfo(name), bounds(name)
    day = (EPOCH + timedelta(seconds=after)).astimezone(zone).date() - timedelta(2)
    horizon = day + timedelta(HORIZON_DAYS)
    rank = {"fires": 0, "moved": 1, "skipped": 2}
    best, best_day = None, None
    while day < horizon:
        # Clocks are changed by a day at most, so two days later nothing earlier is found.
        if best and day > best_day + timedelta(2):
            break
        if day.month not in pattern.months:
            day = day.replace(day=1) + timedelta(calendar.monthrange(day.year, day.month)[1])
            continue
        if pattern.admits(day):
            midnight = calendar.timegm(day.timetuple())
            for hour, minute, second in pattern.times:
                shown = midnight + 3_600 * hour + 60 * minute + second
                # Whatever the clocks are off by, it is no later than `after`, or later than what was found.
                if shown - least <= after or (best and shown - most > best[0]):
                    continue
                local = datetime(day.year, day.month, day.day, hour, minute, second)
                for at, what in instants(zone, midnight, local, pattern, gap, fold):
                    found = (at, rank[what])
                    if at > after and (best is None or found < best):
                        best, best_day = found, day
        day += timedelta(1)
    return best and (best[0], "skipped" if best[1] == 2 else "fires")


# What is tried ---------------------------------------------------------------------------------------------------------


def changes(name):
    """Instants before which the clocks of a zone change, within a week."""
    return [second for second, _ in weekly(name)[1:]]


def change_before(zone, second):
    """The last second before the clocks change, in the week that ends at `second`."""
    low, high = second - WEEK, second
    before = offset(zone, low)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if offset(zone, middle) == before else (low, middle)
    return low


def some(chance, least, most):
    """A field without special forms."""
    def value():
        return chance.randint(least, most)

    def item():
        kind = chance.random()
        if kind < 0.6:
            return str(value())
        low, high = sorted((value(), value()))
        if kind < 0.8:
            return f"{low}-{high}"
        step = chance.randint(1, max(1, (most - least) // 2))
        return chance.choice([f"*/{step}", f"{low}-{high}/{step}", f"{low}/{step}"])

    return ",".join(item() for _ in range(chance.choice([1, 1, 1, 2, 3])))


def some_dates(chance):
    special = ["L", "LW", f"L-{chance.randint(1, 27)}", f"{chance.randint(1, 31)}W", "?", "*", "*", "*"]
    kind = chance.random()
    if kind < 0.5:
        return "*"
    return some(chance, 1, 31) if kind < 0.75 else chance.choice(special)


def some_weekdays(chance):
    day = chance.choice([str(chance.randint(0, 7)), chance.choice(WEEKDAYS)])
    kind = chance.random()
    if kind < 0.55:
        return "*"
    if kind < 0.75:
        return some(chance, 0, 6)
    return chance.choice([day, f"{day}L", f"{day}#{chance.randint(1, 5)}", "?", "MON-FRI", "SAT-SUN"])


def some_pattern(chance):
    month = "*" if chance.random() < 0.7 else chance.choice([some(chance, 1, 12), chance.choice(MONTHS)])
    hour = "*" if chance.random() < 0.2 else some(chance, 0, 4) if chance.random() < 0.5 else some(chance, 0, 23)
    minute = chance.choice(["0", "30", some(chance, 0, 59), some(chance, 0, 59)])
    fields = [minute, hour, some_dates(chance), month, some_weekdays(chance)]
    if chance.random() < 0.05:
        fields.insert(0, ",".join(sorted({str(chance.randint(0, 59)) for _ in range(2)})))
    return " ".join(fields)


def some_case(chance, names):
    name = chance.choice(names)
    if chance.random() < 0.5:
        # Half of all is within two days of a change, so it is in a zone that has some.
        while not changes(name):
            name = chance.choice(names)
        after = change_before(ZoneInfo(name), chance.choice(changes(name))) + chance.randint(-2 * DAY, 2 * DAY)
    else:
        after = chance.randint(FIRST, LAST)
    gap, fold = chance.choice(["shift", "shift", "skip"]), chance.choice(["first", "first", "second", "both"])
    return some_pattern(chance), name, gap, fold, after


def database():
    """The release of the database that zoneinfo reads, and where that is."""
    for folder in map(Path, zoneinfo.TZPATH):
        rules = folder / "tzdata.zi"
        if rules.exists():
            with rules.open(encoding="ascii") as lines:
                return lines.readline().split()[-1], folder
        if (folder / "Europe").exists():
            return "of an unknown release", folder
    import tzdata

    return tzdata.IANA_VERSION, "the package tzdata"


def main():
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    chance = random.Random(seed)
    names = sorted(available_timezones() - {"localtime"})
    told = set()
    print("tzdata", *database(), sep="\t")
    for _ in range(count):
        text, name, gap, fold, after = some_case(chance, names)
        if name not in told:
            told.add(name)
            print("zone", name, ",".join(f"{second}:{off}" for second, off in weekly(name)), sep="\t")
        found = scan(Pattern(text), name, gap, fold, after)
        at, what = found or ("-", "-")
        print("case", text, name, gap, fold, after, at, what, sep="\t")


if __name__ == "__main__":
    main()
