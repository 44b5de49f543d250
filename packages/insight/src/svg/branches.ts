/** Arranges the layers of a network in a figure: each layer above the layers that it reads, parallel branches side by side. */

/** A layer and the layers that it reads, by name. */
export interface LinkedLayer {
  layer: string;
  from: readonly string[];
}

export interface Position {
  /** 0: the layer reads only the input, or layers that are not drawn. */
  level: number;
  /** Left and right edge, as shares of the width. */
  left: number;
  right: number;
}

/**
 * Returns the position of each layer. A layer spans the combined width of the layers that it reads. Layers of one level that read the
 * same layers divide this width among themselves.
 */
export function positionsOf(layers: readonly LinkedLayer[]): Position[] {
  const levels = levelsOf(layers);
  const positions: Position[] = layers.map((_, n) => ({ level: levels[n], left: 0, right: 1 }));
  const indexOf = new Map(layers.map(({ layer }, n) => [layer, n]));
  for (let level = 0; level <= Math.max(...levels); level++) {
    const row = positions.flatMap((position, n) => (position.level === level ? [n] : []));
    for (const n of row) {
      const below = layers[n].from.flatMap((name) => positions[indexOf.get(name) ?? -1] ?? []);
      if (below.length === 0) continue;
      positions[n].left = Math.min(...below.map(({ left }) => left));
      positions[n].right = Math.max(...below.map(({ right }) => right));
    }
    shareWidth(row.map((n) => positions[n]));
  }
  return positions;
}

/** Returns the level of each layer. The layers must be in topological order, as in a trace. */
function levelsOf(layers: readonly LinkedLayer[]): number[] {
  const levels = new Map<string, number>();
  return layers.map(({ layer, from }) => {
    const level = from.reduce((highest, name) => Math.max(highest, (levels.get(name) ?? -1) + 1), 0);
    levels.set(layer, level);
    return level;
  });
}

/**
 * Makes the layers of one level disjoint: layers with the same span divide it among themselves. If different spans overlap, all
 * layers divide the whole width.
 */
function shareWidth(row: readonly Position[]): void {
  const groups = new Map<string, Position[]>();
  for (const position of row) {
    const key = `${position.left} ${position.right}`;
    groups.set(key, [...(groups.get(key) ?? []), position]);
  }
  const spans = [...groups.values()].map(([first]) => first).sort((a, b) => a.left - b.left);
  const overlap = spans.some((span, n) => n > 0 && span.left < spans[n - 1].right - 1e-9);
  for (const group of overlap ? [row] : groups.values()) {
    const [left, right] = overlap ? [0, 1] : [group[0].left, group[0].right];
    const width = (right - left) / group.length;
    for (const [n, position] of group.entries())
      Object.assign(position, { left: left + n * width, right: left + (n + 1) * width });
  }
}
