"""The verbs that look at what a running endpoint receives and answers: drift, monitor, report.

They change neither releases nor traffic. Imports domain and the other verbs.
"""
