/** The transport of a notebook's panel: the comm of an anywidget to its kernel. */
import { createParser } from 'eventsource-parser';

import { isProblem, problemIn } from '../transport/request';
import type {
  ChangeListener,
  Transport,
  TransportAnswer,
  TransportRequest
} from '../transport/transport';

/** An anywidget's model, as far as the panel uses it. */
export interface WidgetModel {
  get(name: string): unknown;
  on(event: string, callback: (content: unknown) => void): void;
  off(event: string, callback: (content: unknown) => void): void;
  send(content: unknown): void;
}

/** The kernel's answer to a request; every view of every page gets all of them. */
interface Answer {
  readonly answer: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Server-sent events as a text, for all views. */
interface Changes {
  readonly changes: string;
}

/** A kernel that is busy, in a front end without subshells, answers when its cell has ended. */
export class CommTransport implements Transport {
  constructor(private readonly model: WidgetModel) {
    model.on('msg:custom', this._receive);
  }

  dispose(): void {
    this.model.off('msg:custom', this._receive);
    this._waiting.clear();
    this._parsers.clear();
  }

  async request(request: TransportRequest): Promise<TransportAnswer> {
    const { signal, ...fields } = request;
    signal?.throwIfAborted();
    this._number += 1;
    const id = `${this._own}-${String(this._number)}`;
    const answer = await new Promise<Answer>((resolve, reject) => {
      this._waiting.set(id, resolve);
      signal?.addEventListener('abort', () => {
        this._waiting.delete(id);
        reject(signal.reason as Error);
      });
      this.model.send({ id, ...fields });
    });
    const contentType = answer.headers['Content-Type'] ?? 'application/json';
    if (isProblem(contentType)) {
      throw problemIn(answer.body);
    }
    const etag = answer.headers.ETag ?? '';
    return { status: answer.status, contentType, etag, text: answer.body };
  }

  /** The kernel sends the changes while the panel is seen; it never ends by itself. */
  async listen(_: string, listener: ChangeListener, stop: AbortSignal): Promise<void> {
    const parser = createParser({
      onEvent: ({ id, event, data }) => {
        listener.receive(event ?? '', data, id);
      }
    });
    const feed = (text: string): void => {
      parser.feed(text);
    };
    this._parsers.add(feed);
    listener.opened();
    await new Promise<void>(resolve => {
      stop.addEventListener('abort', () => {
        this._parsers.delete(feed);
        resolve();
      });
    });
  }

  private readonly _receive = (content: unknown): void => {
    const message = content as Partial<Answer & Changes>;
    if (message.changes !== undefined) {
      for (const feed of this._parsers) feed(message.changes);
    }
    if (message.answer !== undefined) {
      this._waiting.get(message.answer)?.(message as Answer);
      this._waiting.delete(message.answer);
    }
  };

  /** This view's own ids: the kernel's messages go to all views. */
  private readonly _own = Math.random().toString(36).slice(2);
  private _number = 0;
  private readonly _waiting = new Map<string, (answer: Answer) => void>();
  private readonly _parsers = new Set<(text: string) => void>();
}
