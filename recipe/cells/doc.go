// Package cells turns counts of genes in single cells into the matrix whose
// components are gene programs: a row a cell, a column a variable gene.
//
// [Prepare] takes what package data reads of 10x and AnnData files; [Programs]
// names the genes of every program, by weight and by specificity, and [Usages]
// says how much of each a cell uses. docs/cells.md gives the definitions.
package cells
