/** An output of a notebook with a choice among models; its view is loaded when it is first drawn. */
import type { IRenderMime } from '@jupyterlab/rendermime';
import { Widget } from '@lumino/widgets';

import type { CandidatesView } from './generated';

/** As `VIEW_MIME` of `faces/kernel/model_selection.py`. */
export const CANDIDATES = 'application/vnd.nbdeploy.candidates.v1+json';

/** Draws the view within an element; returns the function that removes it. */
export type DrawCandidates = (host: HTMLElement, given: CandidatesView) => Promise<() => void>;

export class CandidatesOutput extends Widget implements IRenderMime.IRenderer {
  constructor(private readonly draw: DrawCandidates) {
    super();
    this.addClass('nbd-CandidatesOutput');
  }

  /** An empty document is in place of the chart's own output: the view draws the chart. */
  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const given = model.data[CANDIDATES] as unknown as CandidatesView | { readonly rows?: never };
    this.remove();
    if (given.rows === undefined) {
      this.hide();
      return;
    }
    const host = document.createElement('div');
    this.node.replaceChildren(host);
    const remove = await this.draw(host, given);
    if (this.isDisposed || host.parentElement === null) remove();
    else this.remove = remove;
  }

  override dispose(): void {
    this.remove();
    super.dispose();
  }

  private remove: () => void = () => undefined;
}
