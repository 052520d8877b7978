import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { EndpointRow } from '../src/generated';
import { DeploymentsModel } from '../src/model';
import { EventStream } from '../src/transport/stream';
import { Line, Server } from './server';

function row(name: string, revision: number): EndpointRow {
  return { name, revision } as EndpointRow;
}

describe('DeploymentsModel', () => {
  let line: Line;
  let server: Server;
  let stream: EventStream;
  let model: DeploymentsModel;
  let rows: EndpointRow[];
  beforeEach(() => {
    line = new Line();
    rows = [row('a', 1), row('b', 4)];
    server = new Server({
      'GET events': () => line.response,
      'GET views/endpoints': () => Response.json({ endpoints: rows, home: '/home' })
    });
    stream = new EventStream(server.transport);
    model = new DeploymentsModel(stream, server.transport);
  });
  afterEach(() => {
    model.dispose();
    stream.dispose();
  });

  it('sends no request until a view is visible', () => {
    expect(server.asked).toEqual([]);
  });

  it('requests the list as soon as a view is visible', async () => {
    const attending = model.attend();
    await vi.waitFor(() => {
      expect(model.endpoints.map(one => one.name)).toEqual(['a', 'b']);
    });
    attending.dispose();
  });

  it('requests the list again only when the stream reports an unknown revision', async () => {
    stream.start();
    await model.refresh();
    line.send('endpoints', { a: 1, b: 4 });
    line.send('endpoints', { a: 2, b: 4 });
    rows = [row('a', 2), row('b', 4)];
    await vi.waitFor(() => {
      expect(model.endpoints[0]?.revision).toBe(2);
    });
    expect(server.count('GET views/endpoints')).toBe(2);
  });

  it('requests the list at the regular interval while an endpoint is open, and at once after it', async () => {
    const attending = model.attend();
    await vi.waitFor(() => {
      expect(model.endpoints.length).toBe(2);
    });
    model.open('a');
    const told = new Promise(resolve => {
      stream.endpoints.connect((_, revisions) => {
        if (revisions.a === 2) resolve(null);
      });
    });
    const before = server.count('GET views/endpoints');
    line.send('endpoints', { a: 2, b: 4 });
    await told;
    expect(server.count('GET views/endpoints')).toBe(before);
    rows = [row('a', 2), row('b', 4)];
    model.open(null);
    await vi.waitFor(() => {
      expect(model.endpoints[0]?.revision).toBe(2);
    });
    attending.dispose();
  });

  it('remembers the opened endpoint and its section', () => {
    const told = vi.fn();
    model.changed.connect(told);
    model.open('a', 'live');
    model.open('b');
    expect([model.opened, model.section]).toEqual(['b', 'releases']);
    expect(told).toHaveBeenCalledTimes(2);
  });

  it('keeps the last list when the server does not answer', async () => {
    await model.refresh();
    server.routes['GET views/endpoints'] = () => {
      throw new TypeError('gone');
    };
    await model.refresh();
    expect(model.problem?.code).toBe('unreachable');
    expect(model.endpoints.length).toBe(2);
  });
});
