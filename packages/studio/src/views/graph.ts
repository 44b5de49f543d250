/** Arranges the layers of a model in rows, for the graph in the view of files. */

interface LinkedLayer {
  name: string;
  /** Names of the layers that this layer reads; empty for inputs, and for all layers of a sequential model. */
  from: readonly string[];
}

/** Returns the layers in rows by their distance from the input: a layer is below all layers that it reads. */
export function rowsOf<L extends LinkedLayer>(layers: readonly L[]): L[][] {
  if (layers.every(({ from }) => from.length === 0)) return layers.map((layer) => [layer]);
  const rows: L[][] = [];
  const rowOf = new Map<string, number>();
  for (const layer of layers) {
    const row = layer.from.reduce((most, name) => Math.max(most, (rowOf.get(name) ?? -1) + 1), 0);
    rowOf.set(layer.name, row);
    (rows[row] ??= []).push(layer);
  }
  return rows;
}
