"""The verbs that look at what a running endpoint receives and answers: drift, explain and report; and the Monitor.

They change neither releases nor traffic. Imports domain and the other verbs.
"""
