import { Signal } from '@lumino/signaling';
import { describe, expect, it, vi } from 'vitest';

import type { EndpointModel } from '../src/endpoint';
import { EndpointModels } from '../src/endpoints';
import { endpoint, model, SHADOW } from './sidebarWorld';

function world() {
  const state = { view: endpoint() };
  const stream = { endpoints: new Signal<object, Record<string, number>>({}) };
  const made: EndpointModel[] = [];
  const view = (): EndpointModels =>
    new EndpointModels(stream as never, () => {
      const { made: one } = model(state);
      made.push(one);
      return one;
    });
  const disposed = (): boolean[] => made.map(one => one.isDisposed);
  return { state, stream, view, disposed };
}

describe('the endpoints that a view has opened', () => {
  it('go when another is opened, but for one that is seen or of which a change is pending', async () => {
    const { state, view, disposed } = world();
    const models = view();
    const seen = models.get('seen');
    const leave = seen.watch();
    expect(models.get('seen')).toBe(seen);
    await models.get('pending').changes.propose('promote', { tag: SHADOW.tag }, state.view);
    models.get('idle');
    models.get('last');
    expect(disposed()).toEqual([false, false, true, false]);
    leave();
    models.get('pending').changes.dismiss();
    models.get('once more');
    expect(disposed()).toEqual([true, true, true, true, false]);
  });

  it('have a change of their own in each view, and one that is done elsewhere is as anybody else’s', async () => {
    const { state, stream, view } = world();
    const [sidebar, tab] = [view().get('clf'), view().get('clf')];
    const leave = [sidebar.watch(), tab.watch()];
    await sidebar.changes.propose('promote', { tag: SHADOW.tag }, state.view);
    await tab.changes.propose('stop', {}, state.view);
    expect([sidebar, tab].map(one => one.changes.pending?.verb)).toEqual(['promote', 'stop']);
    state.view = endpoint({ revision: 3 });
    await tab.changes.confirm('');
    stream.endpoints.emit({ clf: 3 });
    expect(tab.changes.pending).toBeNull();
    await vi.waitFor(() => {
      expect(sidebar.changes.pending).toMatchObject({ verb: 'promote', phase: 'conflict' });
    });
    leave.forEach(each => {
      each();
    });
  });

  it('follow the stream until the view is disposed', async () => {
    const { state, stream, view, disposed } = world();
    const models = view();
    const one = models.get('clf');
    one.watch();
    await vi.waitFor(() => {
      expect(one.state.view?.revision).toBe(2);
    });
    state.view = endpoint({ revision: 3 });
    stream.endpoints.emit({ clf: 3 });
    await vi.waitFor(() => {
      expect(one.state.view?.revision).toBe(3);
    });
    models.dispose();
    expect(disposed()).toEqual([true]);
    stream.endpoints.emit({ clf: 4 });
    expect(one.state.view?.revision).toBe(3);
  });
});
