// Stands in for a module that nothing here imports; see ../go.mod.
module github.com/kptdev/kpt/rollouts

go 1.26.0
