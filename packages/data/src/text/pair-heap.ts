/** A binary heap of pairs. The pair with the highest count is first; if counts are equal, the pair with the lowest key. */
export class PairHeap {
  readonly #counts: number[] = [];
  readonly #keys: number[] = [];

  push(count: number, key: number): void {
    let i = this.#keys.length;
    this.#set(i, count, key);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!this.#precedes(i, parent)) return;
      this.#swap(i, parent);
      i = parent;
    }
  }

  /** Removes and returns the first pair, or undefined if the heap is empty. */
  pop(): { count: number; key: number } | undefined {
    const last = this.#keys.length - 1;
    if (last < 0) return undefined;
    this.#swap(0, last);
    const first = { count: this.#counts[last], key: this.#keys[last] };
    this.#counts.pop();
    this.#keys.pop();
    for (let i = 0; ; ) {
      const left = 2 * i + 1;
      if (left >= last) return first;
      const child = left + 1 < last && this.#precedes(left + 1, left) ? left + 1 : left;
      if (!this.#precedes(child, i)) return first;
      this.#swap(i, child);
      i = child;
    }
  }

  #precedes(a: number, b: number): boolean {
    const difference = this.#counts[a] - this.#counts[b];
    return difference > 0 || (difference === 0 && this.#keys[a] < this.#keys[b]);
  }

  #set(i: number, count: number, key: number): void {
    this.#counts[i] = count;
    this.#keys[i] = key;
  }

  #swap(a: number, b: number): void {
    const [count, key] = [this.#counts[a], this.#keys[a]];
    this.#set(a, this.#counts[b], this.#keys[b]);
    this.#set(b, count, key);
  }
}
