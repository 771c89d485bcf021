// Package report draws what a factorization found: one self-contained HTML
// page that can be handed to a colleague (Write), the same page from a server
// that computes what a file cannot hold (Handler), and static figures (Figure).
//
// It sees results, never solvers: everything that it shows stands in an Input.
// A recipe says there how a component is drawn (Drawing); who chooses ranks or
// compares runs fills in Rank and Consensus.
//
// The page makes no request to anywhere. Its scripts and styles are inline and
// named by hash in its content-security policy, its numbers are one block of
// base64, and names, which are untrusted text, reach the page as data and are
// set as text, never as markup. The same Input gives the same bytes.
//
// What would make the page larger than MaxBytes is left out by a fixed rule
// (see selection), and the page says what.
package report
