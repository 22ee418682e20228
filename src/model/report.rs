//! How things stand, for people and scripts: what `status`, `why` and the web page show.
