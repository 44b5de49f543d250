/** The CSS of reports: system fonts, light and dark colours, and a layout for narrow screens. */
export const STYLE = `
:root{--ground:#fff;--ink:#1b1f24;--quiet:#5b6570;--rule:#dfe3e8;--soft:#f4f6f8;--actual:#1b1f24;--forecast:#0969b8;--other:#8a94a0}
@media(prefers-color-scheme:dark){:root{--ground:#14171b;--ink:#e4e8ec;--quiet:#9aa5b1;--rule:#30363d;--soft:#1c2127;--actual:#e4e8ec;--forecast:#58b0f5;--other:#75808c}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
header,main{max-width:800px;margin:0 auto;padding:0 20px}
header{padding-top:28px}
h1{font-size:1.6rem;line-height:1.2;margin:0 0 8px}
h2{font-size:1.15rem;margin:40px 0 8px;padding-top:16px;border-top:1px solid var(--rule)}
h3{font-size:1rem;margin:24px 0 4px}
p{margin:4px 0 10px}
main{padding-bottom:60px}
.quiet{color:var(--quiet);font-size:.9rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums;min-width:100%}
th,td{padding:5px 10px;text-align:right;white-space:nowrap;border-bottom:1px solid var(--rule)}
th:first-child,td:first-child{text-align:left;padding-left:0}
th{color:var(--quiet);font-weight:600;white-space:normal;vertical-align:bottom}
.best td{font-weight:700;background:var(--soft)}
.chart{display:block;width:100%;height:auto;margin:4px 0 8px}
.chart text{font-size:12px;fill:var(--quiet)}
.narrow{display:none}
@media(max-width:560px){.wide{display:none}.narrow{display:block}header,main{padding-left:14px;padding-right:14px}}
.grid{stroke:var(--rule);stroke-width:1}
.divider{stroke:var(--quiet);stroke-width:1;stroke-dasharray:2 4}
.line{fill:none;stroke-width:1.75;stroke-linejoin:round}
.line.actual{stroke:var(--actual)}
.line.forecast{stroke:var(--forecast);stroke-dasharray:6 3}
.line.other{stroke:var(--other);stroke-width:1.25}
.line.dash1{stroke-dasharray:2 3}.line.dash2{stroke-dasharray:9 3}.line.dash3{stroke-dasharray:9 3 2 3}
.line.dash4{stroke-dasharray:2 8}.line.dash5{stroke-dasharray:16 4}.line.dash6{stroke-dasharray:9 3 2 3 2 3}.line.dash7{stroke-dasharray:4 4}
.dot{fill:var(--forecast)}
.band{fill:var(--forecast);stroke:none}
.band1{fill-opacity:.14}.band2{fill-opacity:.2}.band3{fill-opacity:.26}.key .band2{fill-opacity:.32}.key .band3{fill-opacity:.5}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:.9rem;color:var(--quiet);margin:6px 0}
.key{margin-right:6px;vertical-align:-1px}
.heat{display:block;margin:4px 0 20px}
.heat text{font-size:12px;fill:var(--ink)}
.heat .weight{fill:var(--forecast)}
.heat .frame{fill:none;stroke:var(--rule)}
.texts td{white-space:normal;text-align:left;vertical-align:top;min-width:9em}
.texts th{text-align:left}
.texts td:last-child{min-width:0;text-align:right}
.multiples{display:grid;grid-template-columns:repeat(auto-fill,minmax(240px,1fr));gap:10px 18px}
.multiples figure{margin:0}
.multiples [hidden]{display:none}
.multiples figcaption{font-size:.9rem;font-weight:600;overflow-wrap:anywhere}
.search input{font:inherit;padding:3px 8px;margin:0 8px;color:inherit;background:var(--ground);border:1px solid var(--quiet);border-radius:4px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 18px;margin:8px 0;font-size:.95rem}
dt{color:var(--quiet)}
dd{margin:0;overflow-wrap:anywhere}
summary{cursor:pointer}
`;
