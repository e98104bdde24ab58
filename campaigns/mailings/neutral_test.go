package mailings

import (
	"strings"
	"testing"

	"kithline/models"
)

func TestNeutralSubjects(t *testing.T) {
	own := models.Organisation{HealthWords: "Blue Group\ninfus*\n# not this"}
	for _, c := range []struct{ text, lang, want string }{
		{"The hearing is on Tuesday", "en", ""},
		{"Paint the town, a champion spainted", "en", ""},
		{"News for people with chronic PAIN", "en", "chronic pain"},
		{"Fibromyalgia day", "en", "fibromyalgia"},
		{"ME/CFS and long-covid", "en", "long covid me cfs covid"},
		{"Your infusion with the blue group", "en", "blue group infusion"},
		{"Día de la fibromialgia y del dolor crónico", "es", "cronico dolor fibromialgia"},
		{"Síndrome", "es-MX", "sindrome"},
		{"Pain in an English subject", "es", "pain"},
		{"La salud", "en", ""},
	} {
		got := healthIn(c.text, c.lang, own)
		for _, w := range strings.Fields(c.want) {
			if !strings.Contains(strings.Join(got, " "), w) {
				t.Errorf("%q: %v, want %s", c.text, got, c.want)
			}
		}
		if (len(got) == 0) != (c.want == "") {
			t.Errorf("%q: %v, want %s", c.text, got, c.want)
		}
	}
	for lang, list := range healthWords {
		if len(list) < 60 {
			t.Errorf("%s has %d words", lang, len(list))
		}
	}
}

// The formulas, with texts whose numbers were counted by hand.
func TestGrade(t *testing.T) {
	easy := strings.Repeat("We ask for two more days. You can sign in one minute. It is on our page now. ", 3)
	hard := strings.Repeat("Notwithstanding the aforementioned considerations, institutional representatives deliberately postponed comprehensive implementation of interdisciplinary recommendations, necessitating additional administrative consultations. ", 3)
	if g, ok := grade(easy, "en"); !ok || g > 3 {
		t.Errorf("the easy text: %d, %v", g, ok)
	}
	if g, ok := grade(hard, "en"); !ok || g < 15 {
		t.Errorf("the hard text: %d, %v", g, ok)
	}
	facil := strings.Repeat("Pedimos dos días más. Se firma en un minuto. Está en la página. ", 4)
	dificil := strings.Repeat("No obstante las consideraciones anteriormente mencionadas, los representantes institucionales postergaron deliberadamente la implementación de recomendaciones interdisciplinarias correspondientes. ", 3)
	if g, ok := grade(facil, "es"); !ok || g > 5 {
		t.Errorf("the easy Spanish text: %d, %v", g, ok)
	}
	if g, ok := grade(dificil, "es-MX"); !ok || g < 9 {
		t.Errorf("the hard Spanish text: %d, %v", g, ok)
	}
	if _, ok := grade("Too short.", "en"); ok {
		t.Error("a grade of two words")
	}
	if _, ok := grade(easy, "pl"); ok {
		t.Error("a grade in a language without a formula")
	}
	for word, want := range map[string]int{"table": 2, "made": 1, "me": 1, "signature": 3, "people": 2, "rhythm": 1} {
		if got := syllablesOf(word, "en"); got != want {
			t.Errorf("%s has %d syllables, want %d", word, got, want)
		}
	}
	for word, want := range map[string]int{"día": 2, "petición": 3, "ciudad": 2, "leer": 2, "aéreo": 4, "guía": 2} {
		if got := syllablesOf(word, "es"); got != want {
			t.Errorf("%s has %d syllables, want %d", word, got, want)
		}
	}
}

func TestContrast(t *testing.T) {
	black, _ := colourOf("#000")
	white, _ := colourOf("rgb(255, 255, 255)")
	grey, _ := colourOf("#767676")
	if c := contrast(black, white); c < 20.99 || c > 21.01 {
		t.Errorf("black on white: %f", c)
	}
	if c := contrast(grey, white); c < 4.5 || c > 4.6 {
		t.Errorf("#767676 on white: %f", c)
	}
	for _, bad := range []string{"", "#12", "#gggggg", "rgb(1,2)", "rgb(300,0,0)", "rgba(0,0,0,.5)", "currentcolor"} {
		if _, ok := colourOf(bad); ok {
			t.Errorf("%q is a colour", bad)
		}
	}
}
