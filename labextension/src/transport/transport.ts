/**
 * The way from the widgets to nbdeploy's routes: HTTP to a Jupyter server (`restTransport.ts`), or
 * the comm of a widget to its kernel (`panel/commTransport.ts`). Both lead to the same router.
 */

/** One request to a route, such as `views/endpoint`. */
export interface TransportRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Below `nbdeploy/`; its segments are encoded. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** A JSON document; null: no body. */
  readonly body: string | null;
  /** Refuse with 412 unless the endpoint is at this revision; null: at any. */
  readonly revision: number | null;
  readonly signal: AbortSignal | null;
}

/** The router's answer, with a status below 400. */
export interface TransportAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly etag: string;
  readonly text: string;
}

/** The receiver of a stream of changes. */
export interface ChangeListener {
  /** The stream is open. */
  opened(): void;
  /** One change: an event of a job, or the revisions of all endpoints. `id`: to continue after it. */
  receive(event: string, data: string, id: string | undefined): void;
}

/**
 * Requests, and the stream of changes. A job needs no more: `POST` of a slow verb answers with the
 * job, and the stream has its events (`jobs.ts`).
 */
export interface Transport {
  /**
   * Sends a request. Rejects with a `ProblemError` if it was refused or not answered, and with
   * `AbortError` if it was aborted.
   */
  request(request: TransportRequest): Promise<TransportAnswer>;
  /**
   * Reads the changes after the event `after` (empty: from now on) until the stream ends or is
   * stopped. Rejects with a `ProblemError` if it cannot be read.
   */
  listen(after: string, listener: ChangeListener, stop: AbortSignal): Promise<void>;
}
