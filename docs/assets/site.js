// What scrolls inside a page can be reached by the keyboard.
new MutationObserver(() => {
  for (const wrap of document.querySelectorAll(".md-typeset__scrollwrap:not([tabindex])")) wrap.tabIndex = 0;
}).observe(document.body, { childList: true, subtree: true });
