/** Saves a file on the visitor's machine. */
export function download(name: string, parts: BlobPart, type: string): void {
  const url = URL.createObjectURL(new Blob([parts], { type }));
  Object.assign(document.createElement('a'), { href: url, download: name }).click();
  // Some browsers read the URL only after the click has been processed.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
