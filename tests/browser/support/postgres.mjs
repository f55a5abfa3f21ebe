// A PostgreSQL database for a test in the cluster of ONCHARGE_TEST_POSTGRES_URL, with its complete content as
// text.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { accessSync, constants, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

// Debian's directories of the programs of each version; elsewhere they are on the path.
const DEBIAN = '/usr/lib/postgresql';
const LARGEST_DUMP = 256 * 1024 * 1024;

/** The cluster for this run, if any. */
export const CLUSTER = process.env.ONCHARGE_TEST_POSTGRES_URL;

/** Creates a database in the cluster: its `url`, `dump()` of its content, and `drop()`. */
export async function freshDatabase() {
  const name = `oncharge_browser_${randomBytes(6).toString('hex')}`;
  const url = new URL(CLUSTER);
  url.pathname = `/${name}`;
  await sql(CLUSTER, `CREATE DATABASE ${name}`);
  return {
    url: url.href,
    /** Runs a statement in it. */
    sql: (statement) => sql(url.href, statement),
    // Printable bytes are written unchanged, so that a number in them can be found.
    dump: () => run('pg_dump', ['--data-only', url.href], { PGOPTIONS: '-c bytea_output=escape' }),
    drop: () => sql(CLUSTER, `DROP DATABASE ${name} WITH (FORCE)`),
  };
}

const sql = (url, statement) => run('psql', ['--no-psqlrc', '--set', 'ON_ERROR_STOP=1', '--command', statement, url]);

async function run(program, args, env = {}) {
  const options = { env: { ...process.env, ...env }, maxBuffer: LARGEST_DUMP };
  return (await promisify(execFile)(find(program), args, options)).stdout;
}

/** The newest program of this name: pg_dump refuses a server that is newer than itself. */
function find(program) {
  const versions = list(DEBIAN).sort((one, other) => Number(other) - Number(one));
  return versions.map((version) => join(DEBIAN, version, 'bin', program)).find(isProgram) ?? program;
}

function list(directory) {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
