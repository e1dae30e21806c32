@echo off
rem Runs rva from a private environment in .rva\venv, made by uv or, without it, by venv and pip, from hashed requirements.
setlocal
set "root=%~dp0"
set "venv=%root%.rva\venv"
set "lock=%root%requirements\rva.txt"
set "python=%venv%\Scripts\python.exe"
if not exist "%python%" goto install
fc /b "%lock%" "%venv%\requirements.txt" >nul 2>&1 && goto start
:install
echo rva: first run here; installing its Python packages into .rva\venv, 25 MB, about 15 s 1>&2
if exist "%venv%" rmdir /s /q "%venv%"
where uv >nul 2>&1 && (
    uv venv --quiet --python ">=3.11" "%venv%" || exit /b 4
    uv pip install --quiet --require-hashes --compile-bytecode --python "%python%" -r "%lock%" || exit /b 6
) || (
    py -3 -m venv "%venv%" 2>nul || python -m venv "%venv%" || (
        echo error: rva needs Python 3.11 or newer on PATH, or uv 1>&2
        exit /b 4
    )
    "%python%" -m pip install --quiet --disable-pip-version-check --require-hashes -r "%lock%" || exit /b 6
)
copy /y "%lock%" "%venv%\requirements.txt" >nul
:start
set PYTHONDONTWRITEBYTECODE=
set "PYTHONPYCACHEPREFIX=%root%.rva\pycache"
"%python%" "%root%toolkit" %*
exit /b %ERRORLEVEL%
