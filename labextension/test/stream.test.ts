import { afterEach, describe, expect, it, vi } from 'vitest';

import { EventStream } from '../src/transport/stream';
import { Line, Server } from './server';

function connection(): { lines: Line[]; server: Server; stream: EventStream } {
  const lines: Line[] = [];
  const server = new Server({
    'GET events': () => {
      const line = new Line();
      lines.push(line);
      return line.response;
    }
  });
  return { lines, server, stream: new EventStream(server.transport) };
}

const PROBLEM = { 'Content-Type': 'application/problem+json' };

function fail(): never {
  throw new Error('asked once more');
}

describe('EventStream', () => {
  let stream: EventStream;
  afterEach(() => {
    stream.dispose();
  });

  it('asks nothing before it is started, and once however often that is', async () => {
    const made = connection();
    ({ stream } = made);
    expect(made.server.asked).toEqual([]);
    stream.start();
    stream.start();
    await vi.waitFor(() => {
      expect(stream.isConnected).toBe(true);
    });
    expect(made.lines.length).toBe(1);
  });

  it('reports jobs and revisions, also if an event arrives in pieces', async () => {
    const made = connection();
    ({ stream } = made);
    const told: unknown[] = [];
    stream.job.connect((_, event) => told.push(event.id));
    stream.endpoints.connect((_, revisions) => told.push(revisions));
    stream.start();
    await vi.waitFor(() => {
      expect(made.lines.length).toBe(1);
    });
    const [line] = made.lines as [Line];
    line.raw('event: endpoints\nda');
    line.raw('ta: {"é": 3}\n\n: nothing new\n\n');
    line.send('job', { id: 12 }, 12);
    await vi.waitFor(() => {
      expect(told).toEqual([{ é: 3 }, 12]);
    });
  });

  it('says why it does not come: no answer, a log-in that ended, or what the server told', async () => {
    const answers: (() => Response)[] = [
      () => {
        throw new TypeError('fetch failed');
      },
      () =>
        Response.json({ code: 'not_signed_in', status: 403 }, { status: 403, headers: PROBLEM }),
      () =>
        Response.json({ code: 'too_many_streams', status: 503 }, { status: 503, headers: PROBLEM }),
      () => new Line().response
    ];
    const server = new Server({ 'GET events': () => (answers.shift() ?? fail)() });
    stream = new EventStream(server.transport);
    const told: (string | null)[] = [];
    stream.connected.connect(() => told.push(stream.problem?.code ?? null));
    stream.start();
    await vi.waitFor(
      () => {
        expect(told).toEqual(['unreachable', 'not_signed_in', 'too_many_streams', null]);
      },
      { timeout: 20_000 }
    );
  }, 30_000);

  it('reconnects after a break and names the last event', async () => {
    const made = connection();
    ({ stream } = made);
    const changes: boolean[] = [];
    stream.connected.connect((_, value) => changes.push(value));
    stream.start();
    await vi.waitFor(() => {
      expect(made.lines.length).toBe(1);
    });
    made.lines[0]?.send('job', { id: 41 }, 41);
    made.lines[0]?.end();
    await vi.waitFor(() => {
      expect(made.lines.length).toBe(2);
    });
    expect(made.server.asked[0]?.headers.has('Last-Event-ID')).toBe(false);
    expect(made.server.asked[1]?.headers.get('Last-Event-ID')).toBe('41');
    await vi.waitFor(() => {
      expect(changes).toEqual([true, false, true]);
    });
  });

  it('keeps no connection in which it could not read', async () => {
    const made = connection();
    ({ stream } = made);
    stream.start();
    await vi.waitFor(() => {
      expect(made.lines.length).toBe(1);
    });
    made.lines[0]?.raw('event: job\ndata: {"id": \n\n');
    await vi.waitFor(() => {
      expect(made.lines.length).toBe(2);
    });
    expect(made.server.asked[0]?.signal.aborted).toBe(true);
    expect(made.server.asked[1]?.signal.aborted).toBe(false);
  });

  it('sends the token, as every request to the server does', async () => {
    const made = connection();
    Object.assign(made.server.settings, { token: 'secret' });
    ({ stream } = made);
    stream.start();
    await vi.waitFor(() => {
      expect(made.server.asked[0]?.headers.get('Authorization')).toBe('token secret');
    });
  });
});
