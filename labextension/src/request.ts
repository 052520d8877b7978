import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import type { Problem, RevisionRow } from './generated';

/** An invalid field, as pydantic reports it. */
export interface FieldError {
  loc: (string | number)[];
  msg: string;
}

/** A refusal of the server, or a server that does not answer: its `status` is 0. */
export class ProblemError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail === '' ? problem.title : problem.detail);
    this.name = 'ProblemError';
  }

  get code(): string {
    return this.problem.code;
  }

  get status(): number {
    return this.problem.status;
  }

  get remedy(): string {
    return this.problem.remedy;
  }

  get errors(): FieldError[] {
    return this.problem.errors as unknown as FieldError[];
  }

  /** A conflict: `problem.revision` is the present revision, `history` lists the newer ones. */
  get stale(): boolean {
    return this.status === 412;
  }

  /** Newest first; empty if no other client made a revision. */
  get history(): RevisionRow[] {
    return this.problem.history as unknown as RevisionRow[];
  }
}

/** A problem of which some fields are unknown. */
export function problemError(
  given: Pick<Problem, 'code' | 'title'> & Partial<Problem>
): ProblemError {
  return new ProblemError({
    status: 0,
    detail: '',
    remedy: '',
    details: '',
    errors: [],
    report: '',
    findings: [],
    revision: null,
    history: [],
    ...given
  });
}

/**
 * `error` as a problem: an error of another origin, such as JupyterLab's when it saves a notebook,
 * keeps its message.
 */
export function toProblemError(error: unknown): ProblemError {
  if (error instanceof ProblemError) {
    return error;
  }
  if (error instanceof ServerConnection.NetworkError) {
    return unreachable(error);
  }
  if (error instanceof ServerConnection.ResponseError && isUnknown(error.response.status)) {
    return notSignedIn(error.response.status);
  }
  const title = error instanceof Error ? error.message : String(error);
  return problemError({ code: 'unexpected', title });
}

export interface Answer<T> {
  value: T;
  status: number;
  /** The endpoint's revision, if the resource has one. */
  revision: number | null;
}

/** The format of documents; `exact.ts` has one that keeps the digits of numbers. */
export interface Json {
  parse(text: string): unknown;
  stringify(value: unknown, indent?: number): string;
}

const PLAIN: Json = {
  parse: text => JSON.parse(text) as unknown,
  stringify: (value, indent) => JSON.stringify(value, null, indent)
};

export interface RequestOptions {
  method?: 'GET' | 'POST' | 'DELETE';
  /** Sent as JSON. */
  body?: unknown;
  /** The query of the address, without null and undefined values. */
  query?: Record<string, string | number | boolean | null | undefined>;
  /** Refuse with 412 unless the endpoint is at this revision. */
  revision?: number | null;
  signal?: AbortSignal;
  /** The format of body and answer; default: JavaScript's own. */
  json?: Json;
  settings?: ServerConnection.ISettings;
}

/** The address of `path` below the server's base URL. */
export function address(
  path: string,
  query: RequestOptions['query'] = {},
  settings: ServerConnection.ISettings = ServerConnection.makeSettings()
): string {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return URLExt.join(settings.baseUrl, 'nbdeploy', path) + (text === '' ? '' : `?${text}`);
}

/**
 * Send a request to nbdeploy's server; throws `ProblemError` for each failure, and `AbortError` if
 * it was aborted.
 */
export async function requestAPI<T>(
  path: string,
  options: RequestOptions = {}
): Promise<Answer<T>> {
  const settings = options.settings ?? ServerConnection.makeSettings();
  const headers: Record<string, string> = { Accept: 'application/json' };
  // JupyterLab's 'no-store' would add a query parameter that no request has. Not from the cache
  // either: health changes without a new revision.
  const init: RequestInit = { method: options.method ?? 'GET', headers, cache: 'reload' };
  if (options.body !== undefined) {
    headers['Content-Type'] = 'application/json';
    init.body = (options.json ?? PLAIN).stringify(options.body);
  }
  if (options.revision !== undefined && options.revision !== null) {
    headers['If-Match'] = `"${String(options.revision)}"`;
  }
  if (options.signal) {
    init.signal = options.signal;
  }
  let response: Response;
  try {
    response = await ServerConnection.makeRequest(
      address(path, options.query, settings),
      init,
      settings
    );
  } catch (error) {
    options.signal?.throwIfAborted();
    throw unreachable(error);
  }
  const text = await response.text();
  if (!response.ok) {
    throw refused(response, text);
  }
  return {
    value: (text === '' ? null : parsed(response, text, options.json ?? PLAIN)) as T,
    status: response.status,
    revision: revisionOf(response)
  };
}

function parsed(response: Response, text: string, json: Json): unknown {
  try {
    return json.parse(text);
  } catch {
    throw refused(response, text);
  }
}

function revisionOf(response: Response): number | null {
  const found = /^(?:W\/)?"(\d+)"$/.exec(response.headers.get('ETag') ?? '');
  return found ? Number(found[1]) : null;
}

/** The problem of a server that does not answer. */
export function unreachable(error: unknown): ProblemError {
  return problemError({
    code: 'unreachable',
    title: 'The Jupyter server does not answer.',
    details: error instanceof Error ? error.message : String(error),
    remedy: 'Check whether it still runs. This page shows the last known data.'
  });
}

function isUnknown(status: number): boolean {
  return status === 401 || status === 403;
}

function notSignedIn(status: number): ProblemError {
  return problemError({
    code: 'not_signed_in',
    status,
    title: 'Your session on the Jupyter server has expired.',
    remedy: 'Log in again in another tab. This page then continues, and nothing in it is lost.'
  });
}

/**
 * The server's message, or, if another program answered (a proxy, a login page), the meaning of its
 * status.
 */
export function refused(response: Response, text: string): ProblemError {
  if ((response.headers.get('Content-Type') ?? '').startsWith('application/problem+json')) {
    const said = problemError(JSON.parse(text) as Problem);
    return said.code === 'not_signed_in' ? notSignedIn(said.status) : said;
  }
  const { status } = response;
  if (isUnknown(status) || response.redirected) {
    return notSignedIn(status);
  }
  if (status === 404) {
    return problemError({
      code: 'no_server_extension',
      status,
      title: 'The Jupyter server does not know nbdeploy.',
      remedy:
        "Run 'jupyter server extension list' where the server was started: jupyter_deploy.faces.server must be OK."
    });
  }
  return problemError({
    code: 'unexpected',
    status,
    title: `The Jupyter server answered ${String(status)} ${response.statusText}.`,
    details: text.slice(0, 2000)
  });
}
