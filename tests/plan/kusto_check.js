// Checks queries with Microsoft's Kusto language service: {module, tables, queries} on stdin, {name: [messages]} out.
const input = JSON.parse(require('fs').readFileSync(0, 'utf8'));
require(input.module + '/bridge.js');
require(input.module + '/Kusto.Language.Bridge.js');
const Language = Kusto.Language, Symbols = Language.Symbols;

function database(tables) {
  const symbols = Object.entries(tables).map(([name, columns]) => Symbols.TableSymbol.From(columns).WithName(name));
  for (const maker of ['ctor', '$ctor1', '$ctor2', '$ctor3']) {
    try {
      const made = new Symbols.DatabaseSymbol[maker]('db', symbols);
      if (made.Tables && made.Tables.Count) return made;
    } catch (error) { /* another overload */ }
  }
  throw new Error('no database');
}

const answer = {};
for (const [name, { text, table }] of Object.entries(input.queries)) {
  const globals = Language.GlobalState.Default.WithDatabase(database({ EmailEvents: input.tables[table] }));
  const found = Language.KustoCode.ParseAndAnalyze(text, globals).GetDiagnostics();
  answer[name] = [];
  for (let at = 0; at < found.Count; at++) answer[name].push(found.getItem(at).Message);
}
console.log(JSON.stringify(answer));
