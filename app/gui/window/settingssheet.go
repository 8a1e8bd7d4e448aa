package window

import (
	"fmt"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"

	"latentbrush/app/document"
	"latentbrush/app/gui/control"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/words"
	"latentbrush/engine"
)

// showSettings opens the settings. Every change takes effect and is kept at once.
func (w *Window) showSettings() {
	s := w.settings
	var sheet *control.Sheet
	body := container.NewVBox()
	var fill func()
	// again closes the sheet and opens it anew, in another language or size.
	again := func() {
		sheet.Close()
		w.appearanceChanged()
		w.showSettings()
	}
	group := func(id string) {
		body.Add(container.New(layout.NewCustomPaddedLayout(10, 2, 0, 0), control.NewCaption(words.T("settings.group-"+id), look.Accent, look.TextBody, true)))
	}
	// add is a row with a button that brings the default back, where the setting is another.
	add := func(id, help string, with fyne.CanvasObject, changed bool, reset func()) {
		back := control.NewSmallButton("reset", words.T("settings.reset-one", words.T("settings."+id)), func() { reset(); w.saveSettings(); fill() })
		back.Hidden = !changed
		body.Add(form(words.T("settings."+id), help, with, back))
	}
	choose := func(id string, options, names []string, now, otherwise string, set func(string)) {
		apply := func(v string) { set(v); w.saveSettings() }
		add(id, words.T("settings."+id+"-help"), segments(options, names, now, apply), now != otherwise, func() { set(otherwise) })
	}
	number := func(id string, now, otherwise, lo, hi float64, whole bool, set func(float64)) {
		n := newNumberBox(now, lo, hi, whole, func(v float64) { set(v); w.saveSettings() })
		add(id, words.T("settings."+id+"-help"), n.box(), now != otherwise, func() { set(otherwise) })
	}
	onOff := []string{"on", "off"}
	onOffNames := []string{words.T("on"), words.T("off")}
	state := func(on bool) string {
		if on {
			return "on"
		}
		return "off"
	}
	fill = func() {
		body.RemoveAll()
		group("look")
		langs, langNames := append([]string{""}, words.Languages()...), []string{words.T("settings.system")}
		for _, l := range langs[1:] {
			langNames = append(langNames, words.T("language."+l))
		}
		choose("language", langs, langNames, s.Language, "", func(v string) { s.Language = v; again() })
		variants := []string{string(look.System), string(look.Dark), string(look.Light)}
		choose("appearance", variants, []string{words.T("settings.system"), words.T("settings.dark"), words.T("settings.light")},
			string(s.Variant), string(look.System), func(v string) { s.Variant = look.Variant(v); again() })
		var scales, scaleNames []string
		for _, v := range []float64{0.8, 1, 1.25, 1.5, 2} {
			scales, scaleNames = append(scales, plainNumber(v)), append(scaleNames, fmt.Sprintf("%.0f %%", v*100))
		}
		choose("scale", scales, scaleNames, plainNumber(s.Scale), "1", func(v string) {
			fmt.Sscan(v, &s.Scale)
			again()
		})

		group("run")
		d := engine.DefaultSettings()
		families := make([]string, len(searches))
		for i, f := range searches {
			families[i] = words.T("search." + f)
		}
		choose("search", searches, families, s.Run.Search, string(d.Search), func(v string) { s.Run.Search = v })
		if w.info.Guess {
			choose("guess", onOff, onOffNames, state(!s.Run.NoGuess), "on", func(v string) {
				s.Run.NoGuess = v == "off"
				w.run.setGuess(w.guesses())
			})
		}
		number("steps", float64(s.Run.Steps), float64(d.Steps), 1, mostSteps, true, func(v float64) { s.Run.Steps = int(v) })
		number("rate", s.Run.Rate, d.Rate, 0.001, 10, false, func(v float64) { s.Run.Rate = v })
		number("refine", float64(s.Run.Refine), defaultRefine, 1, mostSteps, true, func(v float64) { s.Run.Refine = int(v) })

		group("weights")
		weight := func(id string, to *float64, otherwise float64) {
			number(id, max(0, *to), otherwise, 0, 1e4, false, func(v float64) {
				if *to = v; v == 0 {
					*to = -1 // none, where 0 would be the default
				}
			})
		}
		weight("picture", &s.Run.Picture, d.PictureWeight)
		weight("perceptual", &s.Run.Perceptual, d.PerceptualWeight)
		weight("prior", &s.Run.Prior, d.Prior)
		if w.info.IdentityTerm != "" {
			number("identity", s.Run.Identity, d.IdentityWeight, 0, 1e4, false, func(v float64) { s.Run.Identity = v })
		}

		group("machine")
		devices, deviceNames := []string{""}, []string{words.T("settings.device-auto")}
		for _, t := range w.info.Trials {
			if name := string(t.Device); t.Usable && !slices.Contains(devices, name) {
				devices, deviceNames = append(devices, name), append(deviceNames, t.Device.String())
			}
		}
		if !slices.Contains(devices, string(engine.CPU)) {
			devices, deviceNames = append(devices, string(engine.CPU)), append(deviceNames, engine.CPU.String())
		}
		choose("device", devices, deviceNames, s.Device, "", func(v string) {
			if s.Device != v {
				s.Device = v
				w.switchDevice()
			}
		})
		choose("preview", onOff, onOffNames, state(!s.Still), "on", func(v string) { s.Still = v == "off" })
		number("memory", float64(s.Memory), document.DefaultMaxBytes>>20, leastMemory, mostMemory, true, func(v float64) {
			s.Memory = int(v)
			if w.doc != nil {
				w.doc.SetHistoryLimits(0, s.Memory<<20)
			}
		})

		group("files")
		which := "system"
		if s.Plain {
			which = "own"
		}
		choose("dialogs", []string{"system", "own"}, []string{words.T("settings.dialogs-system"), words.T("settings.dialogs-own")}, which, "system",
			func(v string) { s.Plain = v == "own" })
		keep := "keep"
		if s.Strip {
			keep = "strip"
		}
		choose("provenance", []string{"keep", "strip"}, []string{words.T("settings.provenance-keep"), words.T("settings.provenance-strip")}, keep, "keep",
			func(v string) { s.Strip = v == "strip" })
		body.Refresh()
	}
	fill()
	size := fyne.NewSize(680, 520).Min(w.canvas().Size().SubtractWidthHeight(80, 180))
	sheet = control.NewSheet(w.canvas(), words.T("action.file.settings"), container.NewVScroll(body), size, false,
		control.NewButton(control.Filled, "reset", words.T("settings.reset-all"), func() {
			w.resetSettings()
			again()
		}),
		control.NewButton(control.Filled, "keyboard", words.T("action.edit.keys"), func() { sheet.Close(); w.table.Run("edit.keys") }),
		control.NewButton(control.Primary, "", words.T("close"), func() { sheet.Close() }))
	sheet.Show()
}

// guesses reports whether the next edit begins at the model's best guess.
func (w *Window) guesses() bool { return w.info.Guess && !w.settings.Run.NoGuess }

// resetSettings brings back all that the sheet of settings shows. Keys, recent files and the window's arrangement stay.
func (w *Window) resetSettings() {
	s := w.settings
	device := s.Device
	s.Language, s.Variant, s.Scale = "", look.System, 1
	s.Run, s.Device, s.Still, s.Memory, s.Plain, s.Strip = RunSettings{}, "", false, 0, false, false
	s.defaults()
	w.run.setGuess(w.guesses())
	if w.doc != nil {
		w.doc.SetHistoryLimits(0, s.Memory<<20)
	}
	if device != "" {
		w.switchDevice()
	}
	w.saveSettings()
}

// switchDevice opens the model again on the device of the settings, below the document that is open.
func (w *Window) switchDevice() {
	if w.eng == nil || w.options.Open == nil {
		return
	}
	w.endJob()
	w.opening++
	seq := w.opening
	w.setJobNote(words.T("status.opening"))
	go func() {
		eng, err := w.options.Open(w.ctx, w.model)
		w.later(func() {
			if seq != w.opening {
				if err == nil {
					go eng.Close()
				}
				return
			}
			w.setJobNote("")
			if err != nil {
				w.fail(err)
				return
			}
			w.closeEngine()
			w.eng, w.info = eng, eng.Info()
			w.watcher = eng.Watch(func(f engine.Frame, err error) { w.later(func() { w.delivered(f, err) }) })
			w.showDevice()
			if w.doc != nil && w.doc.HasPicture() {
				w.wantCode(w.doc.Code())
			}
			w.trace("device %s", w.info.Device)
		})
	}()
}
