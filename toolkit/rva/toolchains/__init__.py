"""Where each tool comes from: one file a source. rva.toolchain composes them."""
