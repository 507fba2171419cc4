//! Gradling.
