import { afterEach, describe, expect, it, vi } from 'vitest';

import { EndpointModel } from '../src/endpoint';
import type { EndpointView } from '../src/generated';
import { problemError } from '../src/transport/request';
import { endpoint, job, PREVIEW } from './sidebarWorld';

const world = {
  preview: async () => Promise.resolve(PREVIEW),
  run: async () => Promise.resolve(job())
};

describe('EndpointModel', () => {
  const made: EndpointModel[] = [];
  const modelOf = (fetchEndpoint: () => Promise<EndpointView>): EndpointModel => {
    const model = new EndpointModel('clf', fetchEndpoint, world);
    made.push(model);
    return model;
  };
  afterEach(() => {
    made.splice(0).forEach(model => {
      model.dispose();
    });
  });

  it('is requested while a view is visible, and when the stream reports an unknown revision', async () => {
    const fetchEndpoint = vi.fn(async () => Promise.resolve(endpoint()));
    const model = modelOf(fetchEndpoint);
    model.onRevision(9);
    expect(fetchEndpoint).not.toHaveBeenCalled();
    const leave = model.watch();
    await vi.waitFor(() => {
      expect(model.state.view?.revision).toBe(2);
    });
    model.onRevision(2);
    expect(fetchEndpoint).toHaveBeenCalledTimes(1);
    fetchEndpoint.mockResolvedValue(endpoint({ revision: 3 }));
    model.onRevision(3);
    await vi.waitFor(() => {
      expect(model.state.view?.revision).toBe(3);
    });
    leave();
    model.onRevision(4);
    expect(fetchEndpoint).toHaveBeenCalledTimes(2);
  });

  it('sends no request for a known revision', async () => {
    const fetchEndpoint = vi.fn(async () => Promise.resolve(endpoint({ revision: 3 })));
    const model = modelOf(fetchEndpoint);
    await model.refresh();
    expect((await model.atRevision(3)).revision).toBe(3);
    expect(fetchEndpoint).toHaveBeenCalledTimes(1);
    fetchEndpoint.mockResolvedValue(endpoint({ revision: 4 }));
    expect((await model.atRevision(4)).revision).toBe(4);
    expect(fetchEndpoint).toHaveBeenCalledTimes(2);
  });

  it('knows a revision by the first look that sees it, though one that began later still goes on', async () => {
    let early: (view: EndpointView) => void = () => undefined;
    const fetchEndpoint = vi
      .fn<() => Promise<EndpointView>>()
      .mockImplementationOnce(async () => new Promise(resolve => (early = resolve)))
      .mockImplementation(async () => new Promise(() => undefined));
    const model = modelOf(fetchEndpoint);
    const first = model.refresh();
    const seen = model.atRevision(3);
    early(endpoint({ revision: 3 }));
    await first;
    expect((await seen).revision).toBe(3);
  });

  it('has the reason why a revision cannot be loaded', async () => {
    const model = modelOf(async () =>
      Promise.reject(problemError({ code: 'unreachable', title: 'away' }))
    );
    await expect(model.atRevision(3)).rejects.toThrow('away');
  });

  it('shows the later of two looks, though the earlier one answers last', async () => {
    let late: (view: EndpointView) => void = () => undefined;
    const fetchEndpoint = vi
      .fn<() => Promise<EndpointView>>()
      .mockImplementationOnce(async () => new Promise(resolve => (late = resolve)))
      .mockResolvedValue(endpoint({ revision: 3 }));
    const model = modelOf(fetchEndpoint);
    const first = model.refresh();
    await model.refresh();
    late(endpoint({ revision: 2 }));
    await first;
    expect(model.state.view?.revision).toBe(3);
  });

  it('keeps the last view when a request fails, with the reason', async () => {
    const fetchEndpoint = vi.fn(async () => Promise.resolve(endpoint()));
    const model = modelOf(fetchEndpoint);
    await model.refresh();
    fetchEndpoint.mockRejectedValue(problemError({ code: 'unreachable', title: 'away' }));
    await expect(model.refresh()).rejects.toThrow('away');
    expect(model.state).toMatchObject({
      gone: false,
      view: { revision: 2 },
      problem: { message: 'away' }
    });
    fetchEndpoint.mockRejectedValue(
      problemError({ code: 'unknown_endpoint', title: 'none', status: 404 })
    );
    await expect(model.refresh()).rejects.toThrow('none');
    expect(model.state).toMatchObject({ gone: true, problem: null });
  });
});
