//! Checks the documentation: links have targets, names exist, and every setting, parameter, output, alarm and environment variable is
//! documented.

mod links;
mod names;
mod pages;
