#!/usr/bin/env node
// The command comes with the library. Nothing in src imports it, so bundles do not contain it.
import { main } from '@unroll/cli';

process.exitCode = await main(process.argv.slice(2));
