package ort

// MemoryUse is the memory of this process in bytes; 0 where the system does not tell.
type MemoryUse struct {
	Resident uint64 `json:"resident"` // held now
	Peak     uint64 `json:"peak"`     // the most ever held
}
