import type { Problem, RevisionRow } from '../generated';
import type { Transport } from './transport';

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

/** `error` as a problem: an error of another origin keeps its message. */
export function toProblemError(error: unknown): ProblemError {
  if (error instanceof ProblemError) {
    return error;
  }
  const title = error instanceof Error ? error.message : String(error);
  return problemError({ code: 'unexpected', title });
}

/** The problem in a document of that content type. */
export function problemIn(text: string): ProblemError {
  return problemError(JSON.parse(text) as Problem);
}

export function isProblem(contentType: string): boolean {
  return contentType.startsWith('application/problem+json');
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
}

/**
 * Send a request to nbdeploy's routes; throws `ProblemError` for each failure, and `AbortError` if
 * it was aborted.
 */
export async function requestAPI<T>(
  transport: Transport,
  path: string,
  options: RequestOptions = {}
): Promise<Answer<T>> {
  const json = options.json ?? PLAIN;
  const given = Object.entries(options.query ?? {}).filter(
    ([, value]) => value !== null && value !== undefined
  );
  const answer = await transport.request({
    method: options.method ?? 'GET',
    path,
    query: Object.fromEntries(given.map(([name, value]) => [name, String(value)])),
    body: options.body === undefined ? null : json.stringify(options.body),
    revision: options.revision ?? null,
    signal: options.signal ?? null
  });
  return {
    value: (answer.text === '' ? null : parsed(answer.text, json)) as T,
    status: answer.status,
    revision: revisionOf(answer.etag)
  };
}

function parsed(text: string, json: Json): unknown {
  try {
    return json.parse(text);
  } catch {
    throw problemError({
      code: 'unexpected',
      title: 'The answer is not JSON.',
      details: text.slice(0, 2000)
    });
  }
}

function revisionOf(etag: string): number | null {
  const found = /^(?:W\/)?"(\d+)"$/.exec(etag);
  return found ? Number(found[1]) : null;
}
