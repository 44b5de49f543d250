"""Pairwise testing: chooses rows of options in which every pair of options occurs, for the tests of the formats.

A matrix is a dictionary of factors and their levels. `covering_rows` chooses rows greedily, so that each level of each factor
occurs together with each level of every other factor at least `times` times. A rule may forbid rows. A pair that occurs in no
allowed row is impossible; the caller gives the number of impossible pairs.
"""

import itertools
import random


def pairs_of(row, names):
    return {(a, row[a], b, row[b]) for a, b in itertools.combinations(names, 2)}


def covering_rows(factors, allowed=lambda row: True, *, impossible=0, times=1, seed=0, candidates=60):
    """Returns rows (dictionaries) in which every possible pair of levels occurs at least `times` times. Levels must be hashable.

    `impossible`: the number of pairs that `allowed` forbids. Assertions check this number, and that all other pairs occur.
    """
    names = list(factors)
    generator = random.Random(seed)
    pairs = [(a, x, b, y) for a, b in itertools.combinations(names, 2) for x in factors[a] for y in factors[b]]
    counts = dict.fromkeys(pairs, 0)
    forbidden = set()
    rows = []

    def draw(target):
        """Returns a random allowed row that contains the pair `target`; None if a thousand draws find none."""
        for _ in range(1000):
            row = {name: generator.choice(levels) for name, levels in factors.items()}
            row[target[0]], row[target[2]] = target[1], target[3]
            if allowed(row):
                return row
        return None

    for required in range(1, times + 1):
        for target in pairs:
            while counts[target] < required and target not in forbidden:
                first = draw(target)
                if first is None:
                    forbidden.add(target)
                    break
                drawn = [first, *(row for row in (draw(target) for _ in range(candidates - 1)) if row)]
                best = max(drawn, key=lambda row: sum(counts[pair] < required for pair in pairs_of(row, names)))
                rows.append(best)
                for pair in pairs_of(best, names):
                    counts[pair] += 1
    assert len(forbidden) == impossible, f"{len(forbidden)} pairs are impossible, not {impossible}: {sorted(map(str, forbidden))}"
    assert all(counts[pair] >= times for pair in pairs if pair not in forbidden)
    return rows


def missing_pairs(factors, rows):
    """Returns the pairs of levels that occur in none of the rows. Rows may be missing: not every model can be exported."""
    present = set().union(*(pairs_of(row, list(factors)) for row in rows))
    names = itertools.combinations(factors, 2)
    return [(a, x, b, y) for a, b in names for x in factors[a] for y in factors[b] if (a, x, b, y) not in present]


def summary(factors, rows):
    pairs = sum(len(a) * len(b) for a, b in itertools.combinations(factors.values(), 2))
    return f"{len(factors)} factors, {sum(map(len, factors.values()))} levels, {pairs} pairs of levels, {len(rows)} models"
