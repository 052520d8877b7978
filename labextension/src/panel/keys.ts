/**
 * JupyterLab takes keys for itself (Enter edits the cell, arrows leave it), unless the focused
 * element says so: its selectors match that element before any around it.
 */
const OWN_KEYS = 'data-lm-suppress-shortcuts';

/** Keeps the keys of an element within a notebook's page to itself. */
export function keepKeys(element: HTMLElement): void {
  const keep = (event: Event, kept: boolean): void => {
    if (event.target instanceof Element) event.target.toggleAttribute(OWN_KEYS, kept);
  };
  element.addEventListener(
    'focus',
    event => {
      keep(event, true);
    },
    true
  );
  for (const kind of ['keydown', 'keyup'] as const) {
    element.addEventListener(kind, event => {
      // While Ctrl or Cmd is held, keys are the notebook's: Ctrl+S still saves.
      keep(event, !(event.ctrlKey || event.metaKey));
    });
  }
  element.addEventListener('keydown', event => {
    const { target } = event;
    if (event.key !== 'Enter' || event.defaultPrevented) return;
    if (!(target instanceof HTMLInputElement) || target.form === null) return;
    event.preventDefault(); // in a notebook's page the browser does not submit a form by itself
    target.form.requestSubmit();
  });
}
