// Package ratings learns what users think of items that they have not rated:
// matrix factorization with biases of users and items inside the model, all of
// it non-negative.
//
// [Read] takes lists of user, item and rating; [Prepare] makes the [Problem] that
// nmf.Fit solves, with its weights, held entries and start; [Problem.Predict],
// [Problem.Recommend] and [Problem.Similar] use the model. [CrossValidate] says how
// good it is. docs/ratings.md has the objective.
package ratings
