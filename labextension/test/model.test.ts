import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { EndpointRow } from '../src/generated';
import { DeploymentsModel } from '../src/model';
import { EventStream } from '../src/stream';
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
    stream = new EventStream(server.settings);
    model = new DeploymentsModel(stream, server.settings);
  });
  afterEach(() => {
    model.dispose();
    stream.dispose();
  });

  it('asks nothing until somebody looks', () => {
    expect(server.asked).toEqual([]);
  });

  it('looks as soon as somebody attends', async () => {
    const attending = model.attend();
    await vi.waitFor(() => {
      expect(model.endpoints.map(one => one.name)).toEqual(['a', 'b']);
    });
    attending.dispose();
  });

  it('looks anew when the stream tells a revision that it does not know, and only then', async () => {
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

  it('leaves the list to its regular looks while one is opened, and looks when one comes back', async () => {
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

  it('remembers what is opened, and how it is looked at', () => {
    const told = vi.fn();
    model.changed.connect(told);
    model.open('a', 'live');
    model.open('b');
    expect([model.opened, model.section]).toEqual(['b', 'releases']);
    expect(told).toHaveBeenCalledTimes(2);
  });

  it('keeps what it saw last when the server does not answer', async () => {
    await model.refresh();
    server.routes['GET views/endpoints'] = () => {
      throw new TypeError('gone');
    };
    await model.refresh();
    expect(model.problem?.code).toBe('unreachable');
    expect(model.endpoints.length).toBe(2);
  });
});
