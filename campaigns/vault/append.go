package vault

// AppendOpened is OpenBytes for many values: it appends the plain text to dst and returns the longer slice, so that one buffer
// serves a whole chunk. Nothing is appended for nil. The error is ErrSealed, and dst is then unchanged.
func (v *Vault) AppendOpened(dst []byte, table, column string, key, sealed []byte) ([]byte, error) {
	if len(sealed) == 0 {
		return dst, nil
	}
	out, err := v.open(dst, table, column, key, sealed)
	if err != nil {
		return dst, err
	}
	return out, nil
}
