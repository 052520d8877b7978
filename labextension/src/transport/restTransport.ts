/** The transport of JupyterLab: HTTP requests to its server, and server-sent events. */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { createParser } from 'eventsource-parser';

import { isProblem, type ProblemError, problemError, problemIn, toProblemError } from './request';
import type { ChangeListener, Transport, TransportAnswer, TransportRequest } from './transport';

/** A server counts as gone after this time without data: keep-alive comments come each 15 s. */
const SILENCE_MS = 40_000;

export class RestTransport implements Transport {
  constructor(
    private readonly settings: ServerConnection.ISettings = ServerConnection.makeSettings()
  ) {}

  /** The address of `path` below the server's base URL. */
  address(path: string, query: Readonly<Record<string, string>> = {}): string {
    const text = new URLSearchParams(query).toString();
    const url = URLExt.join(this.settings.baseUrl, 'nbdeploy', path);
    return url + (text === '' ? '' : `?${text}`);
  }

  async request(request: TransportRequest): Promise<TransportAnswer> {
    const { method, path, query, body, revision, signal } = request;
    const headers: Record<string, string> = { Accept: 'application/json' };
    // JupyterLab's 'no-store' would add a query parameter that no request has. Not from the cache
    // either: health changes without a new revision.
    const init: RequestInit = { method, headers, cache: 'reload', signal };
    if (body !== null) {
      headers['Content-Type'] = 'application/json';
      init.body = body;
    }
    if (revision !== null) {
      headers['If-Match'] = `"${String(revision)}"`;
    }
    let response: Response;
    try {
      const url = this.address(path, query);
      response = await ServerConnection.makeRequest(url, init, this.settings);
    } catch (error) {
      signal?.throwIfAborted();
      throw unreachable(error);
    }
    const text = await response.text();
    const contentType = contentTypeOf(response);
    if (!response.ok || contentType.startsWith('text/html')) {
      throw refused(response, text);
    }
    return { status: response.status, contentType, etag: response.headers.get('ETag') ?? '', text };
  }

  /** Not the browser's `EventSource`, which cannot send the token. */
  async listen(after: string, listener: ChangeListener, stop: AbortSignal): Promise<void> {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), SILENCE_MS);
    const headers: Record<string, string> = { Accept: 'text/event-stream' };
    if (after !== '') {
      headers['Last-Event-ID'] = after;
    }
    try {
      const signal = AbortSignal.any([stop, silence.signal]);
      const response = await ServerConnection.makeRequest(
        this.address('events'),
        { headers, cache: 'no-cache', signal },
        this.settings
      );
      if (!response.ok || response.redirected || response.body === null) {
        throw refused(response, await response.text());
      }
      listener.opened();
      const parser = createParser({
        onEvent: ({ id, event, data }) => {
          listener.receive(event ?? '', data, id);
        }
      });
      const decoder = new TextDecoder();
      const reader = response.body.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) {
          return;
        }
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENCE_MS);
        parser.feed(decoder.decode(value, { stream: true }));
      }
    } finally {
      clearTimeout(timer);
      silence.abort(); // a browser has six connections per host: do not hold one for nothing
    }
  }
}

/** An error of JupyterLab, such as that of saving a notebook, as a problem. */
export function labProblem(error: unknown): ProblemError {
  if (error instanceof ServerConnection.NetworkError) {
    return unreachable(error);
  }
  if (error instanceof ServerConnection.ResponseError && isUnknown(error.response.status)) {
    return notSignedIn(error.response.status);
  }
  return toProblemError(error);
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
function refused(response: Response, text: string): ProblemError {
  if (isProblem(contentTypeOf(response))) {
    const said = problemIn(text);
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

function contentTypeOf(response: Response): string {
  return response.headers.get('Content-Type') ?? '';
}
