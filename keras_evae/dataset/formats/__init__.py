"""Spin configurations in files of this and of other programs.

spin_files   reads and writes them by the suffix of the file; checks and normalises what it reads
ovf          vector fields of OOMMF, mumax3, Spirit and ubermag
arrays       HDF5, NPZ and NPY, those of discretisedfield among them
vtk          image data for ParaView and PyVista, which are written only
"""
