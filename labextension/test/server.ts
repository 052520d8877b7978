import { ServerConnection } from '@jupyterlab/services';

import { RestTransport } from '../src/transport/restTransport';

/** A server of nbdeploy, as far as a test needs it: what it answers by method and path. */
export class Server {
  readonly asked: Request[] = [];
  readonly settings = ServerConnection.makeSettings({
    baseUrl: 'http://lab/',
    fetch: async request => this.answer(request as Request)
  });

  readonly transport = new RestTransport(this.settings);

  constructor(
    readonly routes: Record<string, (request: Request) => Response | Promise<Response>>
  ) {}

  /** How often it was asked for this. */
  count(route: string): number {
    return this.asked.filter(request => routeOf(request) === route).length;
  }

  private async answer(request: Request): Promise<Response> {
    this.asked.push(request);
    const route = this.routes[routeOf(request)];
    if (!route) {
      throw new TypeError(`nobody answers ${routeOf(request)}`);
    }
    return route(request);
  }
}

function routeOf(request: Request): string {
  return `${request.method} ${new URL(request.url).pathname.replace('/nbdeploy/', '')}`;
}

/** What a test lets come out of `GET events`; each connection is one. */
export class Line {
  private out: ReadableStreamDefaultController<Uint8Array> | null = null;

  readonly response = new Response(
    new ReadableStream<Uint8Array>({
      start: controller => {
        this.out = controller;
      }
    })
  );

  send(event: string, data: unknown, id?: number): void {
    const head = id === undefined ? '' : `id: ${id}\n`;
    this.raw(`${head}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  raw(text: string): void {
    this.out?.enqueue(new TextEncoder().encode(text));
  }

  end(): void {
    this.out?.close();
  }
}
