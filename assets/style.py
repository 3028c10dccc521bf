"""The look of every page: light and dark, wide and narrow, on paper; contrasts of 4.5 to 1 and better."""

STYLE = """
:root{color-scheme:light dark;--ink:#1f2933;--quiet:#52606d;--paper:#fff;--raised:#f5f7fa;--line:#d9e2ec;--link:#0b5cad;
--good:#e3f9e5;--bad:#ffe3e3;--mark:#ffec99;--only:#dbeafe}
@media(prefers-color-scheme:dark){:root{--ink:#e4e7eb;--quiet:#a3b0bd;--paper:#12181f;--raised:#1c252e;--line:#3a4856;
--link:#7cc4fa;--good:#0f3d21;--bad:#5a1418;--mark:#6b5900;--only:#1e3a5f}}
*{box-sizing:border-box}html{scroll-padding-top:3rem}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:66rem;margin:2rem auto;
padding:0 1rem;overflow-wrap:anywhere}
h1{font-size:1.6rem;margin-bottom:.2rem}h2{font-size:1.2rem;margin-top:2.4rem;border-bottom:1px solid var(--line)}
h3{font-size:1rem;margin:1.6rem 0 .2rem}a{color:var(--link)}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.wide{overflow-x:auto}table{border-collapse:collapse;margin:.6rem 0;font-size:.92rem}
th,td{padding:.25rem .7rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top;overflow-wrap:normal}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}
.quiet,figcaption,dt{color:var(--quiet)}
.verdict{font-size:1.15rem;padding:.7rem 1rem;border-radius:.4rem;background:var(--good)}
.verdict.bad{background:var(--bad)}
dl.tiles{display:flex;flex-wrap:wrap;gap:.6rem;margin:.8rem 0}
dl.tiles div{flex:1 1 8rem;padding:.5rem .8rem;border:1px solid var(--line);border-radius:.4rem}
dl.tiles dd{margin:0;font-size:1.3rem;font-variant-numeric:tabular-nums}
nav ol{columns:16rem;padding-left:1.4rem}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--raised);padding:.6rem;margin:.2rem 0;border-radius:.3rem;
font:13px/1.45 ui-monospace,monospace;max-height:20rem;overflow:auto}
.sides{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(22rem,100%),1fr));gap:.6rem}
details{margin:.5rem 0;border:1px solid var(--line);border-radius:.4rem;padding:.4rem .8rem}summary{cursor:pointer}
mark{background:var(--mark);color:inherit}ins{background:var(--only);text-decoration:underline dotted}
figure{margin:.6rem 0}svg{max-width:100%;height:auto;background:#fff;border-radius:.3rem}
@media print{body{max-width:none;margin:0;font-size:11px;color:#000;background:#fff}pre{max-height:none}nav{display:none}
details{break-inside:avoid}details::details-content{content-visibility:visible;block-size:auto}a{color:inherit}}
"""
