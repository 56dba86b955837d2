PYTHON ?= python3
BIN := .venv/bin
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
CPU_BUILD := PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu

.PHONY: demo test lint clean

demo: .venv/installed
	$(BIN)/vidgru train sample_videos
	$(BIN)/vidgru evaluate sample_videos
	$(BIN)/vidgru predict sample_videos/test
	@echo
	@echo "The program is $(BIN)/vidgru. To type only vidgru, in this terminal: . $(BIN)/activate"
	@echo "Next, what moves in one of these clips, and where to:"
	@echo "$(BIN)/vidgru motion sample_videos/test/left/clip_30.avi"

test: lint
	$(BIN)/pytest --numprocesses auto --dist loadfile

lint: .venv/test-installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --num-workers auto

clean:
	rm -rf .venv build runs src/vidgru.egg-info .mypy_cache .pytest_cache .ruff_cache

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "vidgru needs Python 3.11 or newer; give one with: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv .venv \
	  || { echo "Cannot make .venv. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
ifndef PIP_EXTRA_INDEX_URL
	@echo "Installing into .venv takes minutes. On Linux with x86-64, pip takes PyTorch for NVIDIA"
	@echo "GPUs: 2.8 GB to download, 5.1 GB on disk. To take the CPU build (0.3 and 1.3 GB) instead:"
	@echo "make $(or $(MAKECMDGOALS),demo) $(CPU_BUILD)"
endif
	$(BIN)/pip install --quiet --editable .
	@$(mend_opencv)
	@touch $@

.venv/test-installed: .venv/installed
	$(BIN)/pip install --quiet --editable '.[test]'
	@$(mend_opencv)
	@touch $@

# opencv-python needs libGL and libglib of the system; a bare server has neither.
define mend_opencv
$(BIN)/python -c 'import cv2' 2>/dev/null || { \
  echo "OpenCV's window libraries are not on this machine: taking opencv-python-headless."; \
  $(BIN)/pip uninstall --quiet --quiet --yes opencv-python opencv-python-headless && \
  $(BIN)/pip install --quiet opencv-python-headless && $(BIN)/python -c 'import cv2'; }
endef
