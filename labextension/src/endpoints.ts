/** The endpoints that one view has opened. */
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';

import type { EndpointModel } from './endpoint';
import type { EventStream } from './transport/stream';

/**
 * A model per endpoint, of this view alone: a confirmation in one view does not count in another,
 * to which a change is like any other client's. Models without a viewer and without a pending
 * change are disposed when another endpoint is opened.
 */
export class EndpointModels implements IDisposable {
  constructor(
    private readonly stream: Pick<EventStream, 'endpoints'>,
    private readonly make: (name: string) => EndpointModel
  ) {
    stream.endpoints.connect(this._onRevisions, this);
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  get(name: string): EndpointModel {
    const known = this._models.get(name);
    if (known) return known;
    for (const [other, model] of this._models) {
      if (model.isIdle) this._remove(other, model);
    }
    const made = this.make(name);
    this._models.set(name, made);
    return made;
  }

  dispose(): void {
    if (this._isDisposed) return;
    this._isDisposed = true;
    this.stream.endpoints.disconnect(this._onRevisions, this);
    this._models.forEach((model, name) => {
      this._remove(name, model);
    });
    Signal.clearData(this);
  }

  private _remove(name: string, model: EndpointModel): void {
    this._models.delete(name);
    model.dispose();
  }

  private _onRevisions(_: unknown, revisions: Record<string, number>): void {
    this._models.forEach((model, name) => {
      model.onRevision(revisions[name] ?? null);
    });
  }

  private _isDisposed = false;
  private readonly _models = new Map<string, EndpointModel>();
}
