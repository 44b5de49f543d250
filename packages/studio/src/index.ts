/** @unroll/studio: the location of the built page, for servers. */

/** The folder of the page, with index.html: static files that any web server can serve. */
export const pageFolder: URL = new URL('../dist/', import.meta.url);
