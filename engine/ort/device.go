package ort

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	onnx "github.com/yalue/onnxruntime_go"
)

// Device is what computes: the processor or one kind of accelerator.
type Device string

// The devices. Auto asks for the first of [Order] that passes its proof run.
const (
	Auto     Device = ""
	CUDA     Device = "cuda"
	WebGPU   Device = "webgpu"
	CoreML   Device = "coreml"
	DirectML Device = "directml"
	CPU      Device = "cpu"
)

// Order is the order in which this platform's devices are tried; the CPU is always last.
func Order() []Device {
	switch runtime.GOOS {
	case "darwin":
		return []Device{WebGPU, CoreML, CPU}
	case "windows":
		return []Device{CUDA, WebGPU, DirectML, CPU}
	}
	return []Device{CUDA, WebGPU, CPU}
}

// ParseDevice reads a device's name as people write it; "auto" and "" are [Auto].
func ParseDevice(name string) (Device, error) {
	switch d := Device(strings.ToLower(strings.TrimSpace(name))); d {
	case Auto, "auto":
		return Auto, nil
	case CUDA, WebGPU, CoreML, DirectML, CPU:
		return d, nil
	}
	return Auto, fmt.Errorf("ort: device %q is unknown: it must be auto, cuda, webgpu, coreml, directml or cpu", name)
}

// String is the name for people.
func (d Device) String() string {
	switch d {
	case Auto:
		return "automatic"
	case CUDA:
		return "CUDA"
	case WebGPU:
		return "WebGPU"
	case CoreML:
		return "Core ML"
	case DirectML:
		return "DirectML"
	case CPU:
		return "CPU"
	}
	return string(d)
}

// Trial is what became of one device.
type Trial struct {
	Device Device `json:"device"`
	// Usable says that the proof run agreed with the CPU.
	Usable bool `json:"usable"`
	// Chosen says that sessions are built on this device.
	Chosen bool `json:"chosen"`
	// Reason is why the device was refused or given up, a sentence without a full stop; empty when nothing is wrong.
	Reason string `json:"reason,omitempty"`
	// Build and Run are the times of building the proof's session and of its second run.
	Build time.Duration `json:"build_ns"`
	Run   time.Duration `json:"run_ns"`
	// Difference is the largest difference from the CPU's answer, relative to its largest value.
	Difference float64 `json:"difference"`
}

// appendProvider adds the device's execution provider to the options of a session.
func appendProvider(options *onnx.SessionOptions, device Device) error {
	switch device {
	case CPU:
		return nil
	case CUDA:
		cuda, err := onnx.NewCUDAProviderOptions()
		if err != nil {
			return err
		}
		defer cuda.Destroy()
		// The default search times every algorithm and makes the first run take many seconds.
		if err := cuda.Update(map[string]string{"cudnn_conv_algo_search": "HEURISTIC"}); err != nil {
			return err
		}
		return options.AppendExecutionProviderCUDA(cuda)
	case WebGPU:
		if runtime.GOOS == "linux" && len(vulkanDrivers(os.Getenv)) == 0 {
			return errors.New("no Vulkan driver is installed")
		}
		return options.AppendExecutionProvider("WebGPU", nil)
	case CoreML:
		return options.AppendExecutionProviderCoreMLV2(map[string]string{"ModelFormat": "MLProgram"})
	case DirectML:
		if err := options.SetMemPattern(false); err != nil {
			return err
		}
		return options.AppendExecutionProviderDirectML(0)
	}
	return fmt.Errorf("device %q is unknown", string(device))
}
