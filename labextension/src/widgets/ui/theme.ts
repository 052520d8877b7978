/** The theme of the page, of JupyterLab or of VS Code. */
import * as React from 'react';

export function isDark(): boolean {
  const { jpThemeLight } = document.body.dataset;
  if (jpThemeLight !== undefined) return jpThemeLight === 'false';
  return document.body.matches('.vscode-dark, .vscode-high-contrast');
}

/** Whether the theme is dark; the component is drawn again when it changes. */
export function useDark(): boolean {
  const [dark, setDark] = React.useState(isDark);
  React.useEffect(() => {
    const observer = new MutationObserver(() => {
      setDark(isDark());
    });
    observer.observe(document.body, { attributeFilter: ['data-jp-theme-light', 'class'] });
    return () => {
      observer.disconnect();
    };
  }, []);
  return dark;
}
