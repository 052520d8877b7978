import { Dialog } from '@jupyterlab/apputils';
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

/** JupyterLab's dialog around a form with its own buttons. */
export class FormDialog extends Dialog<void> {
  constructor(title: string, body: (close: () => void) => React.ReactElement) {
    super({
      title,
      body: ReactWidget.create(
        <Focused focus={() => this.node.querySelector<HTMLElement>('.nbdeploy-body')?.focus()}>
          {body(() => {
            this.reject();
          })}
        </Focused>
      ),
      buttons: [],
      hasClose: true
    });
    this.addClass('nbdeploy-dialog');
    this.node.setAttribute('aria-label', title);
  }

  /** Enter submits the form, as in the browser; Tab stays within; Escape closes. */
  protected override _evtKeydown(event: KeyboardEvent): void {
    if (event.key === 'Escape') {
      super._evtKeydown(event);
    } else if (event.key === 'Tab') {
      const all = tabbable(this.node);
      const edge = event.shiftKey ? all[0] : all.at(-1);
      if (document.activeElement !== edge) {
        return;
      }
      event.preventDefault();
      event.stopPropagation();
      (event.shiftKey ? all.at(-1) : all[0])?.focus();
    }
  }
}

/**
 * Takes the focus in the commit that draws the form. JupyterLab's `focusNodeSelector` takes it some
 * moments later, from a field that the user types in by then.
 */
function Focused(props: React.PropsWithChildren<{ focus: () => void }>): React.ReactElement {
  const { focus } = props;
  const first = React.useRef(true);
  React.useLayoutEffect(() => {
    if (first.current) focus();
    first.current = false;
  });
  return <>{props.children}</>;
}

function tabbable(node: HTMLElement): HTMLElement[] {
  const found = node.querySelectorAll<HTMLElement>(
    'button, input, select, textarea, summary, a[href], [tabindex="0"]'
  );
  return [...found].filter(
    one => !one.matches(':disabled, [tabindex="-1"]') && one.getClientRects().length > 0
  );
}
