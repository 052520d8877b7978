import type { Message } from '@lumino/messaging';
import { PanelLayout, Widget } from '@lumino/widgets';

/** A container whose widget is loaded when it is first shown. */
export class LazyPanel extends Widget {
  constructor(private readonly load: () => Promise<Widget>) {
    super();
    this.addClass('nbdeploy-LazyPanel');
    this.layout = new PanelLayout();
  }

  protected override onBeforeShow(message: Message): void {
    super.onBeforeShow(message);
    this._fill();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    if (this.isVisible) {
      this._fill();
    }
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    this._fill();
    void this._loading?.then(widget => {
      widget?.activate();
    });
  }

  private _fill(): void {
    this._loading ??= this.load().then(
      widget => {
        (this.layout as PanelLayout).addWidget(widget);
        return widget;
      },
      (error: unknown) => {
        this._loading = null; // perhaps the server was gone: the next time it is shown, it is loaded again
        console.error('nbdeploy could not be loaded', error);
        return null;
      }
    );
  }

  private _loading: Promise<Widget | null> | null = null;
}
