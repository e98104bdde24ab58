package supporters

import (
	"strings"

	"kithline/campaigns/vault"
)

// PhoneHash is what a number is found by, from the number as it is kept: for records that come in whole, from another Kithline.
func PhoneHash(v *vault.Vault, number string, valid bool) []byte {
	if !valid {
		return phoneHash(v, looseKey(number))
	}
	key, _, _ := strings.Cut(number, ";ext=")
	return phoneHash(v, key)
}
