// node bundle.mjs   describes the server that the .vsix carries: dist/server/bundle.json beside its wheel, and the
//                   locked requirements, the engine apart, because a prebuilt one may stand in for its source
import { createHash } from 'node:crypto';
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';

const ENGINE = 'llama-cpp-python';
const FOLDER = 'dist/server';
const sha256 = (data) => createHash('sha256').update(data).digest('hex');

const lock = readFileSync('../requirements/run.txt', 'utf8');
// a requirement begins at a line's start and goes on over indented lines
const blocks = lock.split(/^(?=[A-Za-z])/m).filter((block) => /^[A-Za-z]/.test(block));
const engine = blocks.filter((block) => block.startsWith(`${ENGINE}==`));
if (engine.length !== 1) throw new Error(`${ENGINE} stands ${engine.length} times in requirements/run.txt`);
const libraries = blocks.filter((block) => !engine.includes(block)).join('');
const wheels = readdirSync(FOLDER).filter((name) => name.endsWith('.whl'));
if (wheels.length !== 1) throw new Error(`${wheels.length} wheels lie in ${FOLDER}`);

writeFileSync(`${FOLDER}/libraries.txt`, libraries);
writeFileSync(`${FOLDER}/engine.txt`, engine[0]);
copyFileSync('../requirements/build.txt', `${FOLDER}/build.txt`);
writeFileSync(`${FOLDER}/bundle.json`, `${JSON.stringify({
  version: JSON.parse(readFileSync('package.json', 'utf8')).version,
  wheel: wheels[0],
  wheelSha256: sha256(readFileSync(`${FOLDER}/${wheels[0]}`)),
  engine: engine[0].split(/\s/)[0],
  requirementsSha256: sha256(libraries),
}, null, 1)}\n`);
