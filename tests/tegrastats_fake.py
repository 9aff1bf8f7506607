"""Lines as ``tegrastats`` writes them on several boards, and a program of that name that writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Tuple

_RAM = "RAM {}/{}MB (lfb 21x4MB) SWAP 0/{}MB (cached 0MB) "

LINES: Dict[str, Tuple[str, int]] = {
    "AGX Xavier, JetPack 4": (
        _RAM.format(2048, 31927, 15963)
        + "CPU [12%@1190,0%@1190,3%@1190,4%@1190,off,off,off,off] EMC_FREQ 1%@665 GR3D_FREQ 7%@318 APE 150 MTS fg 0% "
        "bg 0% AO@31.5C GPU@32C Tboard@33C Tdiode@34.75C AUX@31C CPU@32.5C thermal@31.95C PMIC@100C "
        "GPU 155/150 CPU 466/470 SOC 933/930 CV 0/0 VDDRQ 311/300 SYS5V 1886/1880",
        155 + 466 + 933 + 0 + 311 + 1886,
    ),
    "AGX Xavier, JetPack 5": (
        "11-21-2026 10:00:01 "
        + _RAM.format(3001, 30990, 15495)
        + "CPU [5%@1190,5%@1190,5%@1190,5%@1190,5%@1190,5%@1190,5%@1190,5%@1190] EMC_FREQ 0% GR3D_FREQ 0%@[510] "
        "VIC_FREQ 115 APE 150 AUX@35C CPU@36C thermal@35.4C Tboard@34C AO@35.5C GPU@35.5C Tdiode@37C PMIC@50C "
        "GPU 0mW/0mW CPU 312mW/318mW SOC 1250mW/1248mW CV 0mW/0mW VDDRQ 468mW/460mW SYS5V 2400mW/2401mW",
        312 + 1250 + 468 + 2400,
    ),
    "Xavier NX": (
        _RAM.format(2690, 6854, 3427)
        + "CPU [3%@1904,7%@1906,1%@1905,0%@1907,off,off] EMC_FREQ 0%@1600 GR3D_FREQ 0%@[510] VIC_FREQ 601 APE 150 "
        "AUX@39C CPU@39.5C AO@37.5C GPU@37.5C PMIC@50C VDD_IN 5080/5070 VDD_CPU_GPU_CV 696/690 VDD_SOC 1104/1100",
        5080,
    ),
    "AGX Orin": (
        "11-21-2026 10:00:02 "
        + _RAM.format(4321, 62801, 31400)
        + "CPU [0%@729,1%@729,2%@729,3%@729,off,off,off,off,0%@729,0%@729,0%@729,0%@729] EMC_FREQ 3%@2133 "
        "GR3D_FREQ 14%@[407,408] NVENC 79%@166 NVDEC off NVJPG off VIC 36%@115 NVDLA0_FREQ @1600 APE 174 CV0@-256C "
        "cpu@44.562C Tboard@32C SOC2@40.093C tj@44.343C VDD_GPU_SOC 2340mW/2300mW VDD_CPU_CV 390mW/400mW "
        "VIN_SYS_5V0 4025mW/4000mW NC 0mW/0mW VDDQ_VDD2_1V8AO 301mW/300mW NC 0mW/0mW",
        2340 + 390 + 4025,
    ),
    "Orin NX and Nano": (
        _RAM.format(1343, 7620, 3810)
        + "CPU [0%@1497,0%@729,0%@729,0%@729,off,off] EMC_FREQ 15%@204 GR3D_FREQ 99%@[612] NVDEC off APE 200 "
        "cpu@48.562C soc2@46.593C gpu@49.625C tj@49.312C VDD_IN 5251mW/8535mW VDD_CPU_GPU_CV 512mW/1944 "
        "VDD_SOC 2720mW/3659mW",
        5251,
    ),
    "Nano": (
        "RAM 1513/3964MB (lfb 19x4MB) SWAP 0/1982MB (cached 0MB) IRAM 0/252kB(lfb 252kB) CPU [5%@1479,2%@1479,off,off] "
        "EMC_FREQ 5%@1600 GR3D_FREQ 0%@76 APE 25 PLL@29.5C CPU@31.5C PMIC@100C GPU@31C AO@37.5C thermal@31.25C "
        "POM_5V_IN 2107/2100 POM_5V_GPU 0/0 POM_5V_CPU 164/160",
        2107,
    ),
}
"""A board to a line of its shape, and the milliwatts of its module."""


def install(folder: Path, body: str, name: str = "tegrastats") -> Path:
    """A shell script of this name; returns the folder, which belongs on the PATH."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return folder


def forever(line: str) -> str:
    """A script that writes a line every 20 ms until it is ended."""
    return f"while :; do echo '{line}'; sleep 0.02; done"
