package ort

// What the tests need of the inside.
var (
	ProofModel    = proofModel
	VulkanDrivers = vulkanDrivers
	Candidates    = candidates
	Difference    = difference
	LibraryNames  = libraryNames
)

// FailRuns makes every run on a device other than the CPU fail with what the function returns.
func (s *Session) FailRuns(f func() error) { s.failRun = f }

// SetDevice pretends that the session was built on the device.
func (s *Session) SetDevice(d Device) { s.device = d }

// SetTrials puts the runtime into the state after the device was chosen.
func (rt *Runtime) SetTrials(d Device, trials ...Trial) { rt.device, rt.trials = d, trials }

// ConvModel is a chain of n 3×3 convolutions of c channels at side².
func ConvModel(n, c, side int) []byte {
	w := &proofWriter{}
	w.value(graphInput, "x", 1, c, side, side)
	w.value(graphOutput, "y", 1, c, side, side)
	w.floats("w", noise(1, c*c*9), c, c, 3, 3)
	from := "x"
	for i := range n {
		to := "y"
		if i < n-1 {
			to = "h" + string(rune('a'+i/26)) + string(rune('a'+i%26))
		}
		w.node(to, "Conv", []string{from, "w"}, attribute("pads", []int{1, 1, 1, 1}))
		from = to
	}
	return w.model()
}

// AxpyModel computes y = a·x + b and the scalar sum(y) with a scalar input a.
func AxpyModel(n int) []byte {
	w := &proofWriter{}
	w.value(graphInput, "a")
	w.value(graphInput, "x", n)
	w.value(graphInput, "b", n)
	w.value(graphOutput, "y", n)
	w.value(graphOutput, "sum")
	w.node("ax", "Mul", []string{"x", "a"})
	w.node("y", "Add", []string{"ax", "b"})
	w.ints("axes", 0)
	w.node("sum", "ReduceSum", []string{"y", "axes"}, attribute("keepdims", 0))
	return w.model()
}
